use super::*;
use hype_wire::{Digest, TerminationLine};

fn judged(end: PodEnd, last_lines: &[&str]) -> Result<Completion, Error> {
    ended(last_lines).judge(end)
}

fn ended(last_lines: &[&str]) -> EndedPod<'static> {
    EndedPod {
        run_id: "hype-run-a",
        pod: "hype-run-a-1",
        image: "a/b:1",
        server: "https://c/",
        memory: Some("64Mi"),
        stage_secret: None,
        last_lines: last_lines.iter().map(|line| line.to_string()).collect(),
        claim_events: vec!["claim disk: waiting for a volume".into()],
    }
}

fn exit(status: i32, code: &str, message: &str) -> Exit {
    let reason = Reason { code: code.into(), message: message.into() };
    Exit { status, reason, seconds: Some(12) }
}

fn termination_line() -> TerminationLine {
    TerminationLine { outcome: "gs://b/runs/r/outcome".into(), digest: Digest::of(b"outcome") }
}

#[test]
fn run_that_exits_successfully_is_complete() {
    let line = termination_line();
    let ended = |code| exit(0, code, &format!("{line}\n"));
    assert_eq!(
        judged(PodEnd::Exited(ended("Completed"), None), &[]).unwrap(),
        Completion::Line(line.clone())
    );
    // A killed child process doesn't invalidate the outcome.
    assert_eq!(
        judged(PodEnd::Exited(ended("OOMKilled"), None), &[]).unwrap(),
        Completion::Line(line.clone())
    );
    let why = "pod hype-run-a-1 was preempted (PreemptionByScheduler): by another".to_owned();
    let stopped = judged(PodEnd::Exited(ended("Completed"), Some(why.clone())), &[]);
    assert_eq!(stopped.unwrap(), Completion::Interrupted(line, why));
}

#[test]
fn each_retryable_end_has_its_own_message() {
    let failed = |code: &str, message: &str| {
        PodEnd::Failed(Reason { code: code.into(), message: message.into() })
    };
    let exited = |status, code, message| PodEnd::Exited(exit(status, code, message), None);
    let ends = [
        (exited(137, "Error", ""), "was killed (status 137)", "with_retries"),
        (
            exited(0, "Completed", ""),
            "pod hype-run-a-1 succeeded, but wrote no outcome",
            "entrypoint",
        ),
        (exited(0, "Completed", "bye"), "succeeded, but wrote no outcome", "entrypoint"),
        (exited(2, "Error", ""), "of the image a/b:1 was started wrongly", "tags of spotify/hype"),
        (exited(3, "Error", ""), "could not write its outcome", "with_service_account"),
        (exited(4, "Error", ""), "was started a second time, which runs nothing", "with_retries"),
        (exited(101, "Error", ""), "ended with status 101 (Error)", "check that it was hype-run"),
        (
            PodEnd::Exited(
                exit(137, "Error", ""),
                Some("pod hype-run-a-1 was deleted by another client".into()),
            ),
            "pod hype-run-a-1 was deleted by another client, and it wrote no outcome",
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
        (failed("DeadlineExceeded", ""), "exceeded its deadline", "with_retries"),
        (
            failed("OutOfcpu", "Pod Node didn't have enough resource"),
            "failed (OutOfcpu): Pod Node",
            "with_retries",
        ),
        (
            PodEnd::Deleted,
            "pod hype-run-a-1 was deleted by another client",
            "don't delete what has labels",
        ),
        (
            PodEnd::Stuck(
                Wait::Termination(Some(Reason {
                    code: "DeletionByTaintManager".into(),
                    message: String::new(),
                })),
                Duration::ZERO,
            ),
            "was on a node that was lost (DeletionByTaintManager), and its node doesn't report",
            "with_retries",
        ),
        (
            PodEnd::Unreachable(Duration::from_secs(300)),
            "the API server at https://c/ was unreachable for 300s",
            "cargo hype gc",
        ),
    ];
    for (end, reason, hint) in ends {
        let error = judged(end, &[]).unwrap_err();
        assert!(error.is_lost() && error.is_infrastructure(), "{error:?}");
        let report = error.report();
        let (message, hint_line) = report.split_once("\nHint: ").unwrap();
        assert!(message.contains(reason) && hint_line.contains(hint), "{report}");
    }
}

#[test]
fn oom_kill_is_a_failure_of_the_closure() {
    let end = || PodEnd::Exited(exit(137, "OOMKilled", ""), None);
    let error = judged(end(), &["loading"]).unwrap_err();
    assert!(error.is_out_of_memory() && !error.is_infrastructure() && !error.is_lost());
    assert_eq!(error.exit_code(), 1);
    let report = error.report();
    let expected = "pod hype-run-a-1 was OOM-killed after 12s: it used up its memory limit of 64Mi\nCaused by:\n   0: its last lines:\n      loading\nHint: raise the container's limit";
    assert!(report.starts_with(expected) && report.contains("with_limit"), "{report}");
    let unlimited = EndedPod { memory: None, ..ended(&[]) }.judge(end()).unwrap_err();
    assert!(unlimited.is_out_of_memory());
    let report = unlimited.report();
    assert!(
        report.contains("its node ran out of memory") && report.contains("with_request"),
        "{report}"
    );
}

#[test]
fn each_permanent_end_has_its_own_message() {
    let stuck = |wait| PodEnd::Stuck(wait, Duration::from_secs(60));
    for (end, kind, message, hint) in [
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
            stuck(Wait::MissingObject("secret \"gcp-key\" not found".into())),
            ErrorKind::Input,
            "pod hype-run-a-1 names something that doesn't exist\nCaused by:\n   0: secret \"gcp-key\" not found",
            "kubectl create secret",
        ),
        (
            PodEnd::Exited(exit(128, "StartError", "exec: \"hype-run\": not found in $PATH"), None),
            ErrorKind::Runner,
            "the image a/b:1 has no hype-run that can be started\nCaused by:\n   0: exec: \"hype-run\"",
            "ENTRYPOINT",
        ),
    ] {
        let error = judged(end, &[]).unwrap_err();
        assert_eq!(error.kind(), kind);
        let report = error.report();
        assert!(report.starts_with(message) && report.contains(hint), "{report}");
    }
}

#[test]
fn error_of_a_lost_run_has_its_last_log_lines() {
    let end = PodEnd::Exited(exit(3, "Error", ""), None);
    let report = judged(end, &["error: no outcome", "  caused by: x"]).unwrap_err().report();
    let expected = "   1: its last lines:\n      error: no outcome\n        caused by: x\nHint:";
    assert!(report.contains(expected), "{report}");
}

#[test]
fn missing_secret_of_the_stage_concerns_its_setting() {
    let missing =
        "MountVolume.SetUp failed for volume \"hype-stage\" : secret \"stage-key\" not found";
    let other = missing.replace("stage-key", "stage-key-2");
    for (why, is_concerned) in [(missing, true), (&other, false)] {
        let end = PodEnd::Stuck(Wait::MissingObject(why.into()), Duration::from_secs(60));
        let pod = EndedPod { stage_secret: Some("stage-key"), ..ended(&[]) };
        let error = pod.judge(end).unwrap_err();
        assert_eq!(error.concerns(Key::StageSecret, "stage-key"), is_concerned, "{error:?}");
    }
}
