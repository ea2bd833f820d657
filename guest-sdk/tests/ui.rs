//! Tests of the compiler errors of functions that the attributes refuse. The programs in `accepted` must compile and run.
//!
//! `TRYBUILD=overwrite cargo test -p hype-guest --test ui` updates the expected errors.

#[test]
fn attributes_report_expected_errors() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
