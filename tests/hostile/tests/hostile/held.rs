//! Everything that the host holds for a guest counts against the guest's memory limit.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

use conformance::subprocess::run_in_subprocess;
use hostile::attack::{executor, runtime};
use hostile::attacks::held::{Holder, holders};
use hostile::calls::{TCP_SOCKET, UDP_SOCKET};
use hostile::{Guest, Staged};
use hype_wire::{End, FailureKind, Limits, Outcome, Payload};

const LIMIT: u64 = 16 << 20;

/// The allowed growth of the process: half as much again as the limit, and what any run needs.
const MAX_GROWTH: u64 = LIMIT + LIMIT / 2 + (16 << 20);

/// One test in a separate process, since it measures the memory of the whole process.
#[test]
fn host_memory_counts_against_the_limit() {
    run_in_subprocess("held::host_memory_counts_against_the_limit", hold_and_measure);
}

fn hold_and_measure() {
    let mut problems = Vec::new();
    for Holder { name, guest } in holders() {
        // Warms up: compiles the component and grows the allocator.
        run(&guest);
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = status("VmRSS:");
        let outcome = run(&guest);
        let growth = status("VmHWM:").saturating_sub(before);
        eprintln!("{name}: {} MiB, {:?}", growth >> 20, kind(&outcome));
        let is_stopped =
            [FailureKind::Memory, FailureKind::Resources].map(Some).contains(&kind(&outcome));
        if !is_stopped || growth > MAX_GROWTH {
            problems.push(format!("{name}: {} MiB, {:?}", growth >> 20, outcome.end));
        }
        let peak = outcome.statistics.peak_memory;
        if peak > LIMIT {
            problems.push(format!("{name}: a peak of {peak} bytes"));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn bodies_need_a_grant() {
    let bodies = &holders()[0];
    let outcome = runtime()
        .block_on(async { Staged::new(&bodies.guest.component()).await.run(executor()).await });
    let End::Failure(failure) = outcome.end else { panic!("{:?}", outcome.end) };
    assert_eq!(failure.kind, FailureKind::Power);
    let message = "created the body of an HTTP request, which its environment doesn't grant";
    assert!(failure.message.contains(message), "{failure:?}");
}

#[test]
fn peak_includes_what_the_host_holds() {
    let fields = &holders()[1];
    let peak = run(&fields.guest).statistics.peak_memory;
    assert!((LIMIT - (1 << 20)..=LIMIT).contains(&peak), "{peak}");
}

fn kind(outcome: &Outcome) -> Option<FailureKind> {
    match &outcome.end {
        End::Failure(failure) => Some(failure.kind),
        End::Value(_) => None,
    }
}

/// Returns a size of this process in bytes, from the line `name`.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line with the size");
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn run(guest: &Guest) -> Outcome {
    runtime().block_on(async {
        let mut staged = Staged::new(&guest.component()).await;
        let limits = Limits { memory: Some(LIMIT), timeout_ms: Some(60_000), ..Limits::default() };
        staged.manifest.job.limits = limits;
        staged.manifest.job.powers.http = vec!["http://api.example".parse().unwrap()];
        staged.run(executor()).await
    })
}

#[test]
fn sockets_cannot_be_created() {
    for call in [TCP_SOCKET, UDP_SOCKET] {
        // The value is the byte that is 1 if the call returned an error.
        let body = format!(
            "(call ${} (i32.const 0) (i32.const 80)) (call $value (i32.const 80) (i32.const 1))",
            call.name
        );
        let calls = Box::leak(Box::new([call]));
        let outcome = run(&Guest { calls, ..Guest::with_call(body.leak()) });
        let End::Value(Payload::Inline(bytes)) = outcome.end else { panic!("{:?}", outcome.end) };
        assert_eq!(bytes[..], [1], "{}", call.name);
    }
}
