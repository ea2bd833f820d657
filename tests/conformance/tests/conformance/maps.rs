//! Maps on the local runner: many items, backpressure, output and cleanup.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use conformance::cases::maps;
use conformance::overridden::{Overridden, WithoutMounts};
use conformance::tampering::TamperingRunner;
use futures::{FutureExt, StreamExt, TryStreamExt};
use hype::run::{LogOptions, RunScope};
use hype::{HostDirectory, LocalRunner, RunEnvironment, Stage, Submitter};
use test_guests::ends::{bake, fail_each, sleep, spin};
use test_guests::marks::leave_mark;
use test_guests::surroundings::say_then_wait_for;
use test_guests::values::{factorial, greet};

fn local(directory: &Path) -> Submitter {
    conformance::build_guests();
    Submitter::local_with(&format!("file://{}", directory.display())).unwrap()
}

fn count(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, Iterator::count)
}

#[tokio::test]
async fn ten_thousand_items_return_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let closures = (0..10_000_u64).map(|index| fail_each(1 << 60, index + 1));
    let results = submitter.map(closures, &RunEnvironment::new());
    let values: Vec<_> = results.try_collect().await.unwrap();
    assert!(values.into_iter().eq(1..=10_000));
    submitter.close().await.unwrap();
    assert_eq!(count(&directory.path().join("runs")), 0);
}

#[tokio::test]
async fn one_failing_item_in_a_hundred_is_one_error() {
    let directory = tempfile::tempdir().unwrap();
    let closures = (0..300).map(|index| fail_each(100, index));
    let env = RunEnvironment::new().with_memory(64 << 20);
    let results: Vec<_> = local(directory.path()).map(closures, &env).collect().await;
    let failed: Vec<_> = (0..300).filter(|index| results[*index].is_err()).collect();
    assert_eq!(failed, [0, 100, 200]);
}

#[tokio::test]
async fn map_takes_input_only_while_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let closures = (0..).map(move |index: u64| {
        counter.fetch_add(1, Ordering::Relaxed);
        factorial(index % 10)
    });
    let mut map = local(directory.path()).map(closures, &RunEnvironment::new());
    for returned in 1..=3_000 {
        map.next().await.unwrap().unwrap();
        let taken = taken.load(Ordering::Relaxed);
        assert!((returned..=returned + 1024).contains(&taken), "{taken} of {returned}");
    }
}

#[tokio::test]
async fn map_stages_nothing_for_an_item() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let closures = (0..100).map(|index| greet(format!("{index}")));
    let mut map = submitter.map(closures, &RunEnvironment::new());
    for _ in 0..50 {
        map.next().await.unwrap().unwrap();
    }
    let run = std::fs::read_dir(directory.path().join("runs")).unwrap().next().unwrap().unwrap();
    assert_eq!((count(&directory.path().join("runs")), count(&run.path())), (1, 1));
}

#[tokio::test]
async fn output_of_item_has_its_index() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(&directory.path().join("stage"));
    std::fs::write(directory.path().join("done"), "").unwrap();
    let signal = HostDirectory::new(directory.path()).mount_read_only("/signal");
    let env = RunEnvironment::new().with_mount(signal);
    let closures = ["done", "go"]
        .map(|signal| say_then_wait_for(format!("for {signal}"), format!("/signal/{signal}")));
    let mut map = submitter.map(closures, &env);
    assert_eq!(map.next().await.unwrap().unwrap(), "gone");
    let run = submitter.runs(RunScope::Live).next().await.unwrap().unwrap();
    let mut log = submitter.logs(&run.id, LogOptions { tail: None, follow: true });
    let mut lines = Vec::new();
    while lines.len() < 3 {
        lines.push(log.next().await.unwrap().unwrap().text);
    }
    lines.sort();
    assert_eq!(lines, ["[0] for done", "[0] going", "[1] for go"]);
}

#[tokio::test]
async fn followed_log_ends_with_its_map() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(&directory.path().join("stage"));
    let signal = HostDirectory::new(directory.path()).mount_read_only("/signal");
    let env = RunEnvironment::new().with_mount(signal);
    let say = || say_then_wait_for("waiting".into(), "/signal/go".into());
    for ends in ["read to its end", "dropped"] {
        let _ = std::fs::remove_file(directory.path().join("go"));
        let mut map = submitter.map([greet("first".into()), say()], &env);
        assert_eq!(map.next().await.unwrap().unwrap(), "hello first");
        let run = submitter.runs(RunScope::Live).next().await.unwrap().unwrap();
        let mut log = submitter.logs(&run.id, LogOptions { tail: None, follow: true });
        assert_eq!(log.next().await.unwrap().unwrap().text, "[1] waiting");
        if ends == "dropped" {
            drop(map);
        } else {
            std::fs::write(directory.path().join("go"), "").unwrap();
            assert_eq!(map.next().await.unwrap().unwrap(), "gone");
            assert!(map.next().await.is_none());
        }
        let rest = tokio::time::timeout(Duration::from_secs(60), log.count()).await;
        assert!(rest.is_ok(), "the log of a map that was {ends} does not end");
    }
}

#[tokio::test]
async fn map_can_be_cancelled_by_its_id() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let closures = (0..3).map(|index| sleep(if index == 0 { 0 } else { 600 }));
    let mut map = submitter.map(closures, &RunEnvironment::new());
    map.next().await.unwrap().unwrap();
    let run = submitter.runs(RunScope::Live).next().await.unwrap().unwrap();
    submitter.cancel(&run.id).await.unwrap();
    let error = map.next().await.unwrap().unwrap_err();
    assert!(error.is_lost() && error.report().contains("another handle cancelled it"), "{error:?}");
    assert!(map.next().await.is_none());
}

/// Runners without items have a run for each item.
mod separate {
    use super::*;

    fn run(case: impl AsyncFnOnce(&Submitter)) {
        let directory = tempfile::tempdir().unwrap();
        let runner = Overridden(TamperingRunner::new().unwrap());
        let stage = Stage::in_directory(directory.path()).unwrap();
        conformance::run(|| Submitter::new(stage, runner), case);
    }

    #[test]
    fn runs_return_results_in_order() {
        run(maps::map_returns_results_in_order);
    }

    #[test]
    fn input_of_runs_may_pause() {
        run(maps::map_of_stream_returns_results_while_input_continues);
    }

    #[test]
    fn failing_run_affects_no_other() {
        run(maps::failing_item_affects_no_other);
    }

    #[test]
    fn run_with_invalid_arguments_fails_alone() {
        run(maps::item_with_invalid_arguments_fails_alone);
    }

    #[test]
    fn input_that_no_run_can_have_ends_the_map() {
        run(maps::map_that_cannot_be_staged_fails_clearly);
    }

    /// Maps 20 closures, two at a time, with a runner that fails before the attempts whose numbers `fails` accepts.
    /// Returns the number of values and of errors.
    async fn map_with_failing(fails: fn(u64) -> bool) -> (usize, usize) {
        conformance::build_guests();
        let directory = tempfile::tempdir().unwrap();
        let attempts = AtomicU64::new(0);
        let runner = TamperingRunner::new().unwrap().before(move |_| {
            match fails(attempts.fetch_add(1, Ordering::Relaxed)) {
                true => Err(hype::Error::runner("cannot start a container", "no daemon")),
                false => Ok(()),
            }
        });
        let stage = Stage::in_directory(directory.path()).unwrap();
        let submitter = Submitter::new(stage, Overridden(runner)).unwrap();
        let env = RunEnvironment::new();
        let results = submitter.map((0..20).map(factorial), &env).with_parallelism(2);
        let results: Vec<_> = results.collect().await;
        let values = results.iter().filter(|result| result.is_ok()).count();
        (values, results.len() - values)
    }

    #[tokio::test]
    async fn failing_runner_ends_the_map() {
        assert_eq!(map_with_failing(|_| true).await, (0, 1));
    }

    #[tokio::test]
    async fn failing_runner_fails_only_items_if_a_function_is_called() {
        assert_eq!(map_with_failing(|attempt| attempt == 0).await, (19, 1));
        assert_eq!(map_with_failing(|attempt| attempt > 1).await, (2, 18));
    }

    #[test]
    fn endless_input_of_runs_ends_after_failure() {
        run(maps::try_map_ends_after_first_failure);
    }

    #[test]
    fn runs_of_another_component_are_rejected() {
        run(maps::map_rejects_closure_of_another_component);
    }

    #[tokio::test]
    async fn arguments_of_runs_are_bounded() {
        conformance::build_guests();
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let runner = Overridden(WithoutMounts(LocalRunner::new().unwrap()));
        let taken = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&taken);
        let closures = (0..20).map(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            greet("x".repeat(32 << 20))
        });
        let submitter = Submitter::new(stage, runner).unwrap();
        let mut map = submitter.map(closures, &RunEnvironment::new()).with_parallelism(20);
        assert!(map.next().now_or_never().is_none());
        assert_eq!(taken.load(Ordering::Relaxed), 8);
    }

    #[test]
    fn seed_and_index_determine_a_run() {
        run(maps::seed_and_index_determine_an_item);
    }

    #[test]
    fn cancelled_runs_end() {
        run(maps::cancelled_map_ends);
    }
}

#[tokio::test]
async fn dropped_map_stops_its_items_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let marks = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let mount = HostDirectory::new(marks.path()).mount_read_write("/marks");
    let env = RunEnvironment::new().with_mount(mount);
    let closures = (0..).map(|_: u64| leave_mark("/marks".into(), 500, 0, false));
    let mut map = submitter.map(closures, &env).with_parallelism(2);
    map.next().await.unwrap().unwrap();
    drop(map);
    submitter.close().await.unwrap();
    let left = count(marks.path());
    assert!(left < 10, "{left} items ran");
    assert_eq!(count(&directory.path().join("runs")), 0);
    // An item that still ran would end, and another one would start.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(count(marks.path()), left);
}

#[tokio::test]
async fn cancelled_map_stops_items_that_only_compute() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let closures = (0..100).map(|index| if index == 0 { factorial(3) } else { spin() });
    let mut map = submitter.map(closures, &RunEnvironment::new());
    assert_eq!(map.next().await.unwrap().unwrap(), 6);
    let ended = tokio::time::timeout(Duration::from_secs(120), async {
        map.cancel().await.unwrap();
        // The threads of the runner are free again.
        submitter.submit(factorial(4), &RunEnvironment::new()).await.unwrap()
    });
    assert_eq!(ended.await.unwrap(), 24);
    submitter.close().await.unwrap();
    assert_eq!(count(&directory.path().join("runs")), 0);
}

#[test]
fn blocking_map_returns_results_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = hype::blocking::Submitter::from(local(directory.path()));
    let env = RunEnvironment::new();
    let values: Vec<_> = submitter.map((0..20).map(factorial), &env).map(Result::unwrap).collect();
    assert_eq!(values.len(), 20);
    assert_eq!(values[5], 120);
    let unordered = submitter.map((0..20).map(factorial), &env).with_parallelism(2).unordered();
    let mut indexes: Vec<_> = unordered.map(|(index, _)| index).collect();
    indexes.sort_unstable();
    assert!(indexes.into_iter().eq(0..20));
    let stopped = submitter.try_map((0..).map(|index| bake(index < 2)), &env);
    assert_eq!(stopped.collect::<Vec<_>>().len(), 3);
}

#[test]
fn blocking_map_of_the_results_of_another_one_returns_results() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = hype::blocking::Submitter::from(local(directory.path()));
    let env = RunEnvironment::new();
    let products = submitter.map((0..4).map(factorial), &env).map(Result::unwrap);
    let sixth: Vec<_> = submitter.map(products.map(factorial), &env).map(Result::unwrap).collect();
    assert_eq!(sixth, [1, 1, 2, 720]);
}

#[tokio::test]
async fn blocking_map_inside_a_runtime_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = hype::blocking::Submitter::from(local(directory.path()));
    let mut map = submitter.map([factorial(3)], &RunEnvironment::new());
    let error = map.next().unwrap().unwrap_err();
    assert!(error.report().contains("without `blocking`"), "{error:?}");
    assert!(map.next().is_none());
}
