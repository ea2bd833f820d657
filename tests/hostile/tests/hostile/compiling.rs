//! A component that takes too long to compile fails its own run and no other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod children;
#[cfg(target_os = "linux")]
mod programs;

use std::time::{Duration, Instant};

use conformance::subprocess::run_in_subprocess;
use hostile::attack::{executor, runtime};
use hostile::attacks::components::{SHORT_TIMEOUT, slow, unique_global};
use hostile::{Attack, Guest, assert_all};
use hype::{Component, LocalRunner, RunEnvironment, Stage, Submitter};
use hype_wire::FailureKind;

/// The time in which a run with a short timeout ends on a loaded machine; much less than the compilation takes.
const SOON: Duration = Duration::from_secs(20);

/// Runs in a separate process, since a compilation cannot be cancelled.
#[test]
fn compilation_counts_against_the_timeout() {
    run_in_subprocess("compiling::compilation_counts_against_the_timeout", compile_slowly);
}

fn compile_slowly() {
    // Compiles the good guest.
    assert_all(vec![Attack::without_effect("a good guest", Guest::GOOD)]);
    assert_all(vec![slow()]);
    assert_is_compiling();
    // One more component waits for the abandoned compilation until its timeout.
    let guest = Guest { items: "(global i32 (i32.const 7))", ..Guest::GOOD };
    let waiting = "compiling hostile.wasm did not begin within the run's timeout";
    let waiting = Attack::new("one more component", guest, FailureKind::Deadline, waiting);
    assert_all(vec![waiting.with_limits(SHORT_TIMEOUT)]);
    assert_is_compiling();
}

#[track_caller]
fn assert_is_compiling() {
    let state = format!("{:?}", executor());
    assert!(state.contains(" 1 being compiled"), "{state}");
}

/// Runs in a separate process, whose end stops the abandoned compilation.
#[test]
fn run_of_a_program_ends_at_its_timeout() {
    run_in_subprocess("compiling::run_of_a_program_ends_at_its_timeout", submit_slowly);
}

fn submit_slowly() {
    let stage = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(stage.path()).unwrap();
    let submitter = Submitter::new(stage, LocalRunner::new().unwrap()).unwrap();
    let submit = |component: Vec<u8>, timeout| {
        let component = Component::new("hostile.wasm", component).unwrap();
        let closure: hype::Closure<()> = component.function("hostile").unwrap().bind(());
        let env = RunEnvironment::new().with_timeout(timeout);
        let started = Instant::now();
        let error = runtime().block_on(submitter.submit(closure, &env)).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert!(started.elapsed() < SOON, "{error:?} after {:?}", started.elapsed());
        error.to_string()
    };
    let error = submit(slow().component, Duration::from_secs(1));
    assert_eq!(error, "compiling hostile.wasm took longer than the run's timeout of 1s");
    let items = unique_global().leak();
    let error = submit(Guest { items, ..Guest::GOOD }.component(), Duration::from_millis(200));
    let waiting = "compiling hostile.wasm did not begin within the run's timeout of 200ms";
    assert!(error.starts_with(waiting), "{error}");
    let started = Instant::now();
    drop(submitter);
    assert!(started.elapsed() < SOON, "the program waits for the abandoned compilation");
}
