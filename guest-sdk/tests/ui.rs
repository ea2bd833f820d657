//! Tests of the attributes: functions that compile, and the compiler errors of those that don't.
//!
//! `TRYBUILD=overwrite cargo test -p hype-guest --test ui` updates the expected errors.

#[test]
fn attributes_report_expected_errors() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui-pass/*.rs");
    cases.compile_fail("tests/ui/*.rs");
}
