//! The suite itself.

/// A case that stands in no list is never run.
#[test]
fn every_case_is_in_the_suite() {
    let suite = include_str!("../src/lib.rs");
    let listed: Vec<_> = suite.split_whitespace().collect();
    let modules = [
        include_str!("../src/commands.rs"),
        include_str!("../src/determinism.rs"),
        include_str!("../src/ends.rs"),
        include_str!("../src/http.rs"),
        include_str!("../src/runs.rs"),
        include_str!("../src/surroundings.rs"),
        include_str!("../src/values.rs"),
    ];
    for module in modules {
        let cases = module.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        // Those that take more than a submitter serve other cases.
        let cases = cases.filter_map(|rest| rest.split_once("(submitter: &Submitter) {"));
        for case in cases.map(|(name, _)| name) {
            assert!(listed.contains(&case), "{case} is missing in conformance::suite!");
        }
    }
}
