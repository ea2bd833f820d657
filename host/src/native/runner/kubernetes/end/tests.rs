use super::*;
use hype_wire::{Digest, TerminationLine};

fn judged(end: End, said: &[&str]) -> Result<Voucher, Error> {
    ended(said).judge(end)
}

fn ended(said: &[&str]) -> Ended<'static> {
    Ended {
        run_id: "hype-run-a",
        pod: "hype-run-a-1",
        image: "a/b:1",
        server: "https://c/",
        memory: Some("64Mi"),
        last_lines: said.iter().map(|line| line.to_string()).collect(),
        claims: vec!["claim disk: waiting for a volume".into()],
    }
}

fn exit(status: i32, word: &str, message: &str) -> Exit {
    let reason = Reason { word: word.into(), message: message.into() };
    Exit { status, reason, seconds: Some(12) }
}

fn line() -> TerminationLine {
    TerminationLine { outcome: "gs://b/runs/r/outcome".into(), digest: Digest::of(b"outcome") }
}

#[test]
fn who_ends_well_has_left_an_outcome() {
    let line = line();
    let ended = |word| exit(0, word, &format!("{line}\n"));
    assert_eq!(
        judged(End::Exited(ended("Completed"), None), &[]).unwrap(),
        Voucher::Line(line.clone())
    );
    // A child that was killed doesn't take the outcome away.
    assert_eq!(
        judged(End::Exited(ended("OOMKilled"), None), &[]).unwrap(),
        Voucher::Line(line.clone())
    );
    let why = "pod hype-run-a-1 was preempted (PreemptionByScheduler): by another".to_owned();
    let stopped = judged(End::Exited(ended("Completed"), Some(why.clone())), &[]);
    assert_eq!(stopped.unwrap(), Voucher::Stopped(line, why));
}

#[test]
fn each_end_that_another_attempt_may_mend_is_told_apart() {
    let failed = |word: &str, message: &str| {
        End::Failed(Reason { word: word.into(), message: message.into() })
    };
    let exited = |status, word, message| End::Exited(exit(status, word, message), None);
    let ends = [
        (exited(137, "Error", ""), "was killed (status 137)", "with_retries"),
        (
            exited(0, "Completed", ""),
            "pod hype-run-a-1 succeeded, and left no outcome",
            "entrypoint",
        ),
        (exited(0, "Completed", "bye"), "succeeded, and left no outcome", "entrypoint"),
        (exited(2, "Error", ""), "of the image a/b:1 was started wrongly", "tagged with"),
        (exited(3, "Error", ""), "could leave no outcome", "with_service_account"),
        (exited(4, "Error", ""), "was started a second time, which runs nothing", "with_retries"),
        (exited(101, "Error", ""), "ended with status 101 (Error)", "was that hype-run"),
        (
            End::Exited(exit(137, "Error", ""), Some("somebody deleted pod hype-run-a-1".into())),
            "somebody deleted pod hype-run-a-1, and it left no outcome",
            "with_retries",
        ),
        (
            failed("Evicted", "The node was low on resource: ephemeral-storage. "),
            "pod hype-run-a-1 was evicted (Evicted): The node was low on resource: ephemeral-storage.",
            "with_retries",
        ),
        (
            failed("Preempting", "Preempted in order to admit critical pod"),
            "was preempted (Preempting)",
            "with_retries",
        ),
        (failed("NodeLost", ""), "was on a node that was lost (NodeLost)", "with_retries"),
        (
            failed("NodeShutdown", "Pod was terminated"),
            "was on a node that shut down",
            "with_retries",
        ),
        (failed("DeadlineExceeded", ""), "was there for longer than it may", "with_retries"),
        (
            failed("OutOfcpu", "Pod Node didn't have enough resource"),
            "failed (OutOfcpu): Pod Node",
            "with_retries",
        ),
        (End::Deleted, "somebody deleted pod hype-run-a-1", "leave what has labels"),
        (
            End::Stuck(
                Wait::End(Some(Reason {
                    word: "DeletionByTaintManager".into(),
                    message: String::new(),
                })),
                Duration::ZERO,
            ),
            "was on a node that was lost (DeletionByTaintManager), and its node doesn't say",
            "with_retries",
        ),
        (
            End::Away(Duration::from_secs(300)),
            "the API server at https://c/ went away",
            "cargo hype gc",
        ),
    ];
    for (end, reason, hint) in ends {
        let error = judged(end, &[]).unwrap_err();
        assert!(error.is_lost() && error.is_infrastructure(), "{error:?}");
        let report = error.report();
        let (told, hinted) = report.split_once("\nHint: ").unwrap();
        assert!(told.contains(reason) && hinted.contains(hint), "{report}");
    }
}

#[test]
fn a_container_without_memory_is_the_closures_failure() {
    let end = || End::Exited(exit(137, "OOMKilled", ""), None);
    let error = judged(end(), &["loading"]).unwrap_err();
    assert!(error.is_out_of_memory() && !error.is_infrastructure() && !error.is_lost());
    assert_eq!(error.exit_code(), 1);
    let report = error.report();
    let told = "pod hype-run-a-1 was OOM-killed after 12s: it used up its memory limit of 64Mi\nCaused by:\n   0: its last lines:\n      loading\nHint: raise the container's limit";
    assert!(report.starts_with(told) && report.contains("with_limit"), "{report}");
    let unlimited = Ended { memory: None, ..ended(&[]) }.judge(end()).unwrap_err();
    assert!(unlimited.is_out_of_memory());
    let report = unlimited.report();
    assert!(
        report.contains("its node ran out of memory") && report.contains("with_request"),
        "{report}"
    );
}

#[test]
fn each_end_that_a_person_must_mend_is_told_apart() {
    let stuck = |wait| End::Stuck(wait, Duration::from_secs(60));
    for (end, kind, told, hint) in [
        (
            stuck(Wait::Node("0/1 nodes are available: 1 Insufficient cpu.".into())),
            ErrorKind::Runner,
            "pod hype-run-a-1 found no node within 60s\nCaused by:\n   0: 0/1 nodes are available: 1 \
             Insufficient cpu.\n      claim disk: waiting for a volume",
            "with_queue_timeout",
        ),
        (
            stuck(Wait::Image("pull access denied for a/b".into())),
            ErrorKind::Runner,
            "the image a/b:1 cannot be pulled\nCaused by:\n   0: pull access denied for a/b",
            "with_image_pull_secret",
        ),
        (
            stuck(Wait::Missing("secret \"gcp-key\" not found".into())),
            ErrorKind::Input,
            "pod hype-run-a-1 names what isn't there\nCaused by:\n   0: secret \"gcp-key\" not found",
            "kubectl create secret",
        ),
        (
            End::Exited(exit(128, "StartError", "exec: \"hype-run\": not found in $PATH"), None),
            ErrorKind::Runner,
            "the image a/b:1 has no hype-run that can be started\nCaused by:\n   0: exec: \"hype-run\"",
            "ENTRYPOINT",
        ),
    ] {
        let error = judged(end, &[]).unwrap_err();
        assert_eq!(error.kind(), kind);
        let report = error.report();
        assert!(report.starts_with(told) && report.contains(hint), "{report}");
    }
}

#[test]
fn the_last_lines_are_told() {
    let end = End::Exited(exit(3, "Error", ""), None);
    let report = judged(end, &["error: no outcome", "  caused by: x"]).unwrap_err().report();
    let told = "   1: its last lines:\n      error: no outcome\n        caused by: x\nHint:";
    assert!(report.contains(told), "{report}");
}
