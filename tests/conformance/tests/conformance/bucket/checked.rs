//! The checks of `cargo hype doctor` in a bucket: exactly the check of the denied request fails.

use std::collections::BTreeSet;

use futures::StreamExt;
use hype::doctor::CheckState;
use test_storage_server::{Fault, Operation, Refusal, Rule};

use super::{BUCKET, in_process, server, submit};

/// Begins each line with a check.
const MARK: &str = "=> ";

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the tests below set"]
fn checks_are_printed() {
    submit(|submitter| async move {
        let mut checks = submitter.check();
        while let Some(check) = checks.next().await {
            eprintln!("{}: {}", check.name, check.detail);
            // A machine may have no room for commands.
            if check.name != "commands" && check.state != CheckState::Ok {
                println!("{MARK}{:?} {}", check.state, check.name);
            }
        }
    });
}

/// Returns the names of the failed checks, whether a function ran, and the names of the remaining objects, while
/// requests that match `rule` are denied.
fn check(rule: Option<Rule>) -> (Vec<String>, bool, BTreeSet<String>) {
    let server = server();
    if let Some(rule) = rule {
        server.inject(rule);
    }
    let printed = in_process("checked::checks_are_printed", &server);
    let checks: Vec<_> =
        printed.lines().filter_map(|line| Some(line.split_once(MARK)?.1)).collect();
    let failed = checks.iter().filter_map(|check| check.strip_prefix("Failed "));
    let has_run = !checks.iter().any(|check| check.ends_with(" run"));
    (failed.map(str::to_owned).collect(), has_run, server.names(BUCKET))
}

fn denied(operation: Operation, objects: &str) -> Rule {
    Rule::new(operation, objects, Fault::Refuse(Refusal::new(403)))
}

#[test]
fn working_bucket_passes_and_is_left_empty() {
    assert_eq!(check(None), (Vec::new(), true, BTreeSet::new()));
}

#[test]
fn each_denied_request_fails_its_check_alone() {
    for (rule, expected, has_run) in [
        (denied(Operation::Write, "*"), "stage: write", false),
        (denied(Operation::Read, "*/arguments"), "stage: read", false),
        (denied(Operation::Write, "*/outcome"), "stage: create", false),
        // Only lists and collections need these.
        (denied(Operation::List, "*"), "stage: list", true),
        (denied(Operation::Head, "*/arguments").first(1), "stage: clock", true),
    ] {
        let (failed, ran, left) = check(Some(rule));
        assert_eq!(failed, [expected]);
        assert_eq!((ran, left), (has_run, BTreeSet::new()), "{expected}");
    }
}

/// What can't be deleted remains, so no function runs that would leave more.
#[test]
fn denied_deletion_fails_alone_and_skips_the_run() {
    let (failed, has_run, left) = check(Some(denied(Operation::Delete, "*")));
    assert_eq!((failed, has_run), (vec!["stage: delete".to_owned()], false));
    assert_eq!(left.len(), 2, "{left:?}");
}
