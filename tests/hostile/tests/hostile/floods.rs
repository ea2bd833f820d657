//! Floods of output, which the host's memory doesn't grow by.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

use conformance::alone::alone;
use hostile::shape::{executor, runtime};
use hostile::shapes::{failures, output};
use hostile::staged::{counted, told};
use hostile::{Shape, Staged, assert_all};
use hype_wire::{End, Outcome};

/// Much more than the machinery takes, and much less than the floods bring.
const FLAT: u64 = output::LARGE / 4;

/// How much memory this process has, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line of it");
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<u64>().unwrap() << 10
}

/// All in one test and in a process of its own, since they share one memory.
#[test]
fn memory_stays_flat() {
    alone("floods::memory_stays_flat", flood_and_measure);
}

fn flood_and_measure() {
    assert_all(vec![output::small()]);
    let before = resident();
    assert_eq!(flood(&output::large()), output::LARGE);
    assert_eq!(flood(&output::empty()), 0);
    assert!(flood(&output::small()) > 0);
    let after = resident();
    assert!(after < before + FLAT, "from {before} to {after} bytes");

    for guest in [failures::LONG, failures::MANY, failures::LOUD] {
        let outcome = run(&guest.component());
        let size = outcome.to_bytes().unwrap().len();
        assert!(size < 1 << 20, "an outcome of {size} bytes");
    }
    let after = resident();
    assert!(after < before + FLAT, "from {before} to {after} bytes");
}

/// How much a shape writes until it ends as it must.
fn flood(shape: &Shape) -> u64 {
    let (output, count) = counted();
    let outcome = runtime().block_on(async {
        let mut staged = Staged::new(&shape.component).await;
        staged.manifest.job.limits = shape.limits;
        staged.run_with(executor(), output, true).await
    });
    if let End::Failure(failure) = outcome.end {
        assert!(told(&failure).contains("timeout of 1s"), "{failure:?}");
    }
    let count = count.lock().unwrap();
    *count
}

fn run(component: &[u8]) -> Outcome {
    runtime().block_on(async { Staged::new(component).await.run(executor()).await })
}
