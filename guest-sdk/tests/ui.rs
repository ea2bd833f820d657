//! What users of the attributes read: which functions compile, and what is said of those that don't.
//!
//! `TRYBUILD=overwrite cargo test -p hype-guest --test ui` writes the messages anew.

#[test]
fn attributes_explain_themselves() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui-pass/*.rs");
    cases.compile_fail("tests/ui/*.rs");
}
