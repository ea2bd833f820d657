//! `cargo hype run`.

use insta::assert_snapshot;

use crate::hype::hype;

#[test]
fn the_program_runs_with_its_arguments() {
    let seen = hype(&["run", "-p", "wordcount", "--", "LICENSE"]).seen();
    assert_eq!(seen.status, 0, "{seen}");
    assert_snapshot!(seen.stdout, @"");
}

#[test]
fn the_status_is_the_programs() {
    let seen = hype(&["run", "-p", "wordcount", "--", "/no/such/file"]).seen();
    assert_snapshot!(seen, @"");
}

#[test]
fn a_package_without_a_program_is_refused() {
    assert_snapshot!(hype(&["run", "-p", "hype-wire"]).seen(), @"");
}

#[test]
fn an_unknown_program_is_answered_with_those_that_there_are() {
    assert_snapshot!(hype(&["run", "-p", "wordcount", "--bin", "count"]).seen(), @"");
}

#[test]
fn a_workspace_with_several_programs_asks_for_one() {
    let seen = hype(&["run"]).seen();
    assert_eq!(seen.status, 2);
    let lines: Vec<_> = seen.stderr.lines().collect();
    assert_eq!(lines[0], "error: several packages of this workspace have programs");
    assert!(
        lines[1].starts_with("Hint: choose one with -p: ") && lines[1].contains("hello"),
        "{seen}"
    );
}
