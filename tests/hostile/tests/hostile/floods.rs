//! Floods of output don't grow the host's memory.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

use conformance::subprocess::run_in_subprocess;
use hostile::attack::{executor, runtime};
use hostile::attacks::{failures, output};
use hostile::staged::{counting_output, failure_text};
use hostile::{Attack, Staged, assert_all};
use hype_wire::{End, Outcome};

/// The allowed growth of memory, in bytes: much more than a run needs, and much less than the floods.
const MAX_GROWTH: u64 = output::LARGE / 4;

/// Returns the resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line with VmRSS");
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() << 10
}

/// One test in a separate process, since it measures the memory of the whole process.
#[test]
fn floods_do_not_grow_host_memory() {
    run_in_subprocess("floods::floods_do_not_grow_host_memory", flood_and_measure);
}

fn flood_and_measure() {
    assert_all(vec![output::small()]);
    let before = resident();
    assert_eq!(flood(&output::large()), output::LARGE);
    assert_eq!(flood(&output::empty()), 0);
    assert!(flood(&output::small()) > 0);
    let after = resident();
    assert!(after < before + MAX_GROWTH, "from {before} to {after} bytes");

    for guest in [failures::LONG_MESSAGE, failures::MANY_CAUSES, failures::LONG_PANIC] {
        let outcome = run(&guest.component());
        let size = outcome.to_bytes().unwrap().len();
        assert!(size < 1 << 20, "an outcome of {size} bytes");
    }
    let after = resident();
    assert!(after < before + MAX_GROWTH, "from {before} to {after} bytes");
}

/// Runs an attack and returns the number of bytes that it wrote.
fn flood(attack: &Attack) -> u64 {
    let (output, count) = counting_output();
    let outcome = runtime().block_on(async {
        let mut staged = Staged::new(&attack.component).await;
        staged.manifest.job.limits = attack.limits;
        staged.run_with(executor(), output, true).await
    });
    if let End::Failure(failure) = outcome.end {
        assert!(failure_text(&failure).contains("timeout of 1s"), "{failure:?}");
    }
    let count = count.lock().unwrap();
    *count
}

fn run(component: &[u8]) -> Outcome {
    runtime().block_on(async { Staged::new(component).await.run(executor()).await })
}
