//! Compilations in child processes are killed, bounded, and end like those in this process.

use std::path::Path;
use std::time::{Duration, Instant};

use conformance::hype_run;
use conformance::subprocess::run_in_subprocess;
use hostile::attack::runtime;
use hostile::attacks::components::{self, slow};
use hostile::staged::failure_text;
use hostile::{Attack, Guest, Staged};
use hype_run::{Compiler, Executor};
use hype_wire::{End, Failure, FailureKind, Limits, Outcome};

use super::SOON;

/// More memory than any of these components needs.
const MUCH: u64 = 4 << 30;

fn executor(memory: u64) -> Executor {
    Executor::new().with_compiler(Compiler::in_children_of(hype_run(), memory))
}

fn run(executor: &Executor, attack: &Attack) -> Outcome {
    runtime().block_on(async {
        let mut staged = Staged::new(&attack.component).await;
        staged.manifest.job.limits = attack.limits;
        staged.run(executor).await
    })
}

#[track_caller]
fn failure(outcome: Outcome) -> Failure {
    match outcome.end {
        End::Failure(failure) => failure,
        End::Value(value) => panic!("{value:?}"),
    }
}

/// Returns the ids of the processes with this parent that compile.
pub(super) fn compiling_children(parent: u32) -> Vec<u32> {
    let read = |pid: u32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
    let is_child = |pid: u32| {
        let parent_line = format!("PPid:\t{parent}\n");
        read(pid, "status").is_ok_and(|status| status.contains(&parent_line))
            && read(pid, "cmdline").is_ok_and(|line| line.contains("\0compile-component\0"))
    };
    let names = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).filter(|pid| is_child(*pid)).collect()
}

/// Waits until `condition` holds.
#[track_caller]
pub(super) fn wait_until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < SOON, "the condition doesn't hold after {SOON:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs in a separate process, since it looks for the children of the process.
#[test]
fn late_compilation_is_killed() {
    run_in_subprocess("compiling::children::late_compilation_is_killed", compile_late);
}

fn compile_late() {
    let executor = executor(MUCH);
    let failure = failure(run(&executor, &slow()));
    assert_eq!(failure.kind, FailureKind::Deadline, "{failure:?}");
    wait_until(|| compiling_children(std::process::id()).is_empty());
    let good = Attack::without_effect("a good guest", Guest::GOOD);
    let limits = Limits { timeout_ms: Some(60_000), ..Limits::default() };
    let outcome = run(&executor, &good.with_limits(limits));
    assert!(matches!(outcome.end, End::Value(_)), "{:?}", outcome.end);
    assert!(format!("{executor:?}").contains(" 0 being compiled"), "{executor:?}");
}

/// Runs in a separate process, since it looks for the children of the process.
#[test]
fn interrupted_run_kills_its_compilation() {
    let name = "compiling::children::interrupted_run_kills_its_compilation";
    run_in_subprocess(name, interrupt_compilation);
}

fn interrupt_compilation() {
    let executor = executor(MUCH);
    let outcome = runtime().block_on(async {
        let staged = Staged::new(&slow().component).await;
        let request = staged.request(true).await;
        let interrupt = request.interrupt.clone();
        let watch = std::thread::spawn(move || {
            wait_until(|| !compiling_children(std::process::id()).is_empty());
            interrupt.cancel();
        });
        let output = hype_run::GuestOutput::new(|_, _| {});
        let finished = hype_run::run(&executor, &request, output).await;
        watch.join().unwrap();
        finished.unwrap().outcome
    });
    assert_eq!(failure(outcome).kind, FailureKind::Interrupted);
    wait_until(|| compiling_children(std::process::id()).is_empty());
}

#[test]
fn compilation_beyond_its_memory_fails_as_resources() {
    let unlimited = Attack { limits: Limits::default(), ..slow() };
    let started = Instant::now();
    let failure = failure(run(&executor(100 << 20), &unlimited));
    assert_eq!(failure.kind, FailureKind::Resources, "{failure:?}");
    let message =
        "compiling hostile.wasm needs more than the 100 MiB of memory that a compilation may use";
    assert!(failure.message.starts_with(message), "{failure:?}");
    eprintln!("ended after {:?}", started.elapsed());
}

#[test]
fn failures_are_those_of_a_compilation_in_this_process() {
    let (here, in_children) = (Executor::new(), executor(MUCH));
    for attack in components::attacks() {
        let [one, other] = [&here, &in_children].map(|executor| run(executor, &attack).end);
        match (one, other) {
            (End::Failure(one), End::Failure(other)) => {
                assert_eq!(one.kind, other.kind, "{}", attack.name);
                assert_eq!(failure_text(&one), failure_text(&other), "{}", attack.name);
            }
            (one, other) => assert_eq!(one, other, "{}", attack.name),
        }
    }
}

#[test]
fn missing_program_is_a_failure_of_the_machinery() {
    let compiler = Compiler::in_children_of(Path::new("/no/such/program"), MUCH);
    let executor = Executor::new().with_compiler(compiler);
    let failure = failure(run(&executor, &Attack::without_effect("a good guest", Guest::GOOD)));
    assert_eq!(failure.kind, FailureKind::Infrastructure, "{failure:?}");
    assert!(failure.message.contains("cannot start a compiler"), "{failure:?}");
}
