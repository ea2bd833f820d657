//! Calls in worker processes, which only the end of the process stops.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hostile::attack::runtime;
use hostile::calls::{STDOUT, WRITE_AND_FLUSH};
use hostile::staged::failure_text;
use hostile::{Guest, Staged};
use hype_run::{
    CodeKind, CommandIsolation, CommandRoom, Executor, GuestOutput, Platform, Target, precompile,
};
use hype_wire::{
    Access, Artefact, Blob, Code, CommandName, End, FailureKind, Mount, Outcome, Payload, Powers,
};
use tokio::sync::Semaphore;

pub(crate) const ENDLESS: &str = "(loop $again (br $again)) unreachable";

/// A guest that prints a line and then loops.
pub(crate) const PRINTING_ENDLESS: Guest = Guest {
    calls: &[STDOUT, WRITE_AND_FLUSH],
    items: r#"(data (i32.const 96) "go\0a")"#,
    ..Guest::with_call(
        "(call $write-and-flush (call $stdout) (i32.const 96) (i32.const 3) (i32.const 80))
         (loop $again (br $again)) unreachable",
    )
};

/// Returns an output that adds a permit to `started` for each write of a guest.
pub(crate) fn report(started: &Arc<Semaphore>) -> GuestOutput {
    let started = Arc::clone(started);
    GuestOutput::new(move |_, _| started.add_permits(1))
}

/// Waits until guests have written `count` times.
pub(crate) async fn wait_for(started: &Semaphore, count: u32) {
    started.acquire_many(count).await.unwrap().forget();
}

/// Returns an executor whose calls run in workers.
pub(crate) async fn workers() -> Executor {
    workers_for(8).await
}

/// Returns an executor that makes `calls` calls in workers at once.
async fn workers_for(calls: usize) -> Executor {
    let executor = Executor::in_workers(calls);
    assert_eq!(executor.code_kind(&Powers::default()).await, CodeKind::Unchecked);
    executor
}

fn target(kind: CodeKind) -> Target {
    Target { platform: Platform::here().expect("a supported platform"), kind }
}

/// Stages a run of `guest` with machine code of `kind`.
pub(crate) async fn staged(guest: Guest, kind: CodeKind) -> Staged {
    let component = guest.component();
    let mut staged = Staged::new(&component).await;
    let code = precompile(&component, target(kind)).unwrap();
    let artefact = Artefact { platform: target(kind).to_string(), blob: Blob::of(&code) };
    staged.put(&code).await;
    staged.manifest.job.artefact = Some(artefact);
    staged
}

#[track_caller]
pub(crate) fn assert_value(outcome: &Outcome) {
    let end = &outcome.end;
    assert!(matches!(end, End::Value(Payload::Inline(bytes)) if bytes[..] == [0xc0]), "{end:?}");
}

#[track_caller]
pub(crate) fn assert_failure(outcome: &Outcome, kind: FailureKind, text: &str) {
    let End::Failure(failure) = &outcome.end else { panic!("{:?}", outcome.end) };
    assert_eq!(failure.kind, kind, "{failure:?}");
    assert!(failure_text(failure).contains(text), "{failure:?}");
}

#[test]
fn calls_whose_commands_have_rooms_run_in_workers() {
    let room = CommandRoom::of_this_machine();
    let has_place = !room.is_nobodys || room.landlock.is_some();
    let kind = if has_place { CodeKind::Unchecked } else { CodeKind::Checked };
    let uname = CommandName::try_from("uname".to_owned()).unwrap();
    let powers = Powers { commands: vec![uname], ..Powers::default() };
    runtime().block_on(async {
        assert_eq!(workers().await.code_kind(&powers).await, kind);
        let unconfined = workers().await.with_commands(CommandIsolation::Unconfined);
        assert_eq!(unconfined.code_kind(&powers).await, CodeKind::Checked);
    });
}

#[test]
fn worker_loads_unchecked_code() {
    runtime().block_on(async {
        let executor = workers().await;
        for code in [Code::Precompiled, Code::Reused] {
            let outcome = staged(Guest::GOOD, CodeKind::Unchecked).await.run(&executor).await;
            assert_value(&outcome);
            assert_eq!(outcome.statistics.code, code);
        }
    });
}

#[test]
fn run_mounts_directory_that_replaced_another() {
    runtime().block_on(async {
        let executor = workers().await;
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("mounted");
        let mut staged = staged(Guest::GOOD, CodeKind::Unchecked).await;
        staged.manifest.job.mounts.push(Mount {
            source: source.to_str().unwrap().to_owned(),
            path: "/mounted".parse().unwrap(),
            access: Access::ReadOnly,
        });
        for name in ["first", "second"] {
            std::fs::create_dir(&source).unwrap();
            assert_value(&staged.run(&executor).await);
            std::fs::rename(&source, directory.path().join(name)).unwrap();
        }
    });
}

#[test]
fn worker_rejects_checked_code() {
    runtime().block_on(async {
        let outcome = staged(Guest::GOOD, CodeKind::Checked).await.run(&workers().await).await;
        assert_value(&outcome);
        assert_eq!(outcome.statistics.code, Code::Compiled);
        let reason = outcome.statistics.why_compiled.unwrap();
        assert!(reason.contains("contains checks"), "{reason}");
    });
}

#[test]
fn program_rejects_unchecked_code() {
    runtime().block_on(async {
        let outcome = staged(Guest::GOOD, CodeKind::Unchecked).await.run(&Executor::new()).await;
        assert_value(&outcome);
        assert_eq!(outcome.statistics.code, Code::Compiled);
        let reason = outcome.statistics.why_compiled.unwrap();
        assert!(reason.contains("can't be interrupted"), "{reason}");
    });
}

/// An attacker can't choose the name of the platform, since the manifest is verified. This shows that the engines differ.
#[test]
fn engine_rejects_code_of_the_other_kind() {
    runtime().block_on(async {
        for (named, actual) in
            [(CodeKind::Checked, CodeKind::Unchecked), (CodeKind::Unchecked, CodeKind::Checked)]
        {
            let mut staged = staged(Guest::GOOD, actual).await;
            staged.manifest.job.artefact.as_mut().unwrap().platform = target(named).to_string();
            let executor = match named {
                CodeKind::Checked => Executor::new(),
                CodeKind::Unchecked => workers().await,
            };
            let outcome = staged.run(&executor).await;
            assert_value(&outcome);
            let reason = outcome.statistics.why_compiled.unwrap();
            assert!(reason.contains("epoch interruption"), "{reason}");
        }
    });
}

#[test]
fn endless_loop_is_killed_at_its_deadline() {
    runtime().block_on(async {
        let executor = workers().await;
        assert_value(&staged(Guest::GOOD, CodeKind::Unchecked).await.run(&executor).await);
        let mut endless = staged(Guest::with_call(ENDLESS), CodeKind::Unchecked).await;
        endless.manifest.job.limits.timeout_ms = Some(200);
        for _ in 0..3 {
            let started = Instant::now();
            let outcome = endless.run(&executor).await;
            assert_failure(&outcome, FailureKind::Deadline, "timeout of 200ms");
            assert!(started.elapsed() < Duration::from_secs(5));
            assert_value(&staged(Guest::GOOD, CodeKind::Unchecked).await.run(&executor).await);
        }
    });
}

#[test]
fn endless_loop_reports_its_stack_at_its_deadline() {
    runtime().block_on(async {
        let guest = Guest {
            items: "(func $spin (loop $again (br $again))) (func $caller (call $spin))",
            ..Guest::with_call("(call $caller) unreachable")
        };
        let mut staged = staged(guest, CodeKind::Unchecked).await;
        staged.manifest.job.limits.timeout_ms = Some(300);
        let End::Failure(failure) = staged.run(&workers().await).await.end else {
            panic!("an endless loop has ended");
        };
        let functions: Vec<_> = failure.backtrace.iter().map(|it| it.function.as_str()).collect();
        assert!(functions.starts_with(&["spin", "caller"]), "{failure:?}");
    });
}

/// Half of the instructions of this guest run while its innermost function has no frame.
#[test]
fn stack_of_function_without_frame_names_its_caller() {
    runtime().block_on(async {
        let guest = Guest {
            items: "(func $leaf) (func $spin (loop $again (call $leaf) (br $again)))",
            ..Guest::with_call("(call $spin) unreachable")
        };
        let mut staged = staged(guest, CodeKind::Unchecked).await;
        staged.manifest.job.limits.timeout_ms = Some(50);
        let executor = workers().await;
        for _ in 0..20 {
            let End::Failure(failure) = staged.run(&executor).await.end else {
                panic!("an endless loop has ended");
            };
            let functions = failure.backtrace.iter().map(|it| it.function.as_str());
            let functions: Vec<_> = functions.skip_while(|name| *name == "leaf").collect();
            assert_eq!(functions.first(), Some(&"spin"), "{failure:?}");
        }
    });
}

#[test]
fn endless_loop_is_killed_when_it_is_interrupted() {
    runtime().block_on(async {
        let executor = workers().await;
        let endless = staged(PRINTING_ENDLESS, CodeKind::Unchecked).await;
        let request = endless.request(true).await;
        let interrupt = request.interrupt.clone();
        let started = Arc::new(Semaphore::new(0));
        let run = hype_run::run(&executor, &request, report(&started));
        let cancel = async {
            wait_for(&started, 1).await;
            interrupt.cancel();
        };
        let (finished, ()) = tokio::join!(run, cancel);
        assert_failure(&finished.unwrap().outcome, FailureKind::Interrupted, "stopped");
    });
}

#[test]
fn good_guest_runs_beside_endless_loops() {
    runtime().block_on(async {
        let executor = workers_for(16).await;
        let good = staged(Guest::GOOD, CodeKind::Unchecked).await;
        let mut endless = staged(PRINTING_ENDLESS, CodeKind::Unchecked).await;
        endless.manifest.job.limits.timeout_ms = Some(120_000);
        let request = endless.request(true).await;
        let (started, interrupt) = (Arc::new(Semaphore::new(0)), request.interrupt.clone());
        let endless = (0..8)
            .map(|_| hype_run::run(&executor, &request, report(&started)))
            .collect::<Vec<_>>();
        // The loops run until the good guest has ended.
        let good = async {
            wait_for(&started, 8).await;
            let started = Instant::now();
            let outcome = good.run(&executor).await;
            interrupt.cancel();
            (outcome, started.elapsed())
        };
        let (endless, (good, took)) = tokio::join!(futures::future::join_all(endless), good);
        assert_value(&good);
        assert!(took < Duration::from_secs(1), "{took:?}");
        for finished in endless {
            assert_failure(&finished.unwrap().outcome, FailureKind::Interrupted, "stopped");
        }
    });
}

/// A guest that writes endlessly.
const FLOODING: Guest = Guest {
    calls: &[STDOUT, WRITE_AND_FLUSH],
    items: r#"(data (i32.const 96) "go\0a")"#,
    ..Guest::with_call(
        "(local $out i32) (local.set $out (call $stdout))
         (loop $again
             (call $write-and-flush (local.get $out) (i32.const 96) (i32.const 3) (i32.const 80))
             (br $again))
         unreachable",
    )
};

#[test]
fn flooding_guest_is_killed_at_its_deadline() {
    runtime().block_on(async {
        let mut flooding = staged(FLOODING, CodeKind::Unchecked).await;
        flooding.manifest.job.limits.timeout_ms = Some(300);
        let executor = workers().await;
        let run = tokio::time::timeout(Duration::from_secs(20), flooding.run(&executor));
        assert_failure(&run.await.unwrap(), FailureKind::Deadline, "timeout of 300ms");
    });
}

#[test]
fn concurrent_runs_compile_their_component_once() {
    runtime().block_on(async {
        let executor = workers().await;
        let component = Guest::GOOD.component();
        let runs = (0..6).map(async |_| Staged::new(&component).await.run(&executor).await);
        let outcomes = futures::future::join_all(runs).await;
        let codes: Vec<Code> = outcomes.iter().map(|outcome| outcome.statistics.code).collect();
        let count = |code| codes.iter().filter(|it| **it == code).count();
        assert_eq!((count(Code::Compiled), count(Code::Reused)), (1, 5), "{codes:?}");
    });
}
