//! The suite itself.

/// A case that stands in no list is never run.
#[test]
fn every_case_is_in_the_suite() {
    let suite = include_str!("../src/lib.rs");
    let listed: Vec<_> = suite.split_whitespace().collect();
    let modules = [
        include_str!("../src/ends.rs"),
        include_str!("../src/runs.rs"),
        include_str!("../src/surroundings.rs"),
        include_str!("../src/values.rs"),
    ];
    for module in modules {
        let cases = module.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        for case in cases.filter_map(|rest| rest.split_once('(')).map(|(name, _)| name) {
            assert!(listed.contains(&case), "{case} is missing in conformance::suite!");
        }
    }
}
