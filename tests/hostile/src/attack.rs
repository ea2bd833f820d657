//! Runs attacks and compares their ends with the expected ones.

use std::sync::OnceLock;

use hype_run::Executor;
use hype_wire::{End, FailureKind, Limits, Outcome, Payload};
use tokio::runtime::Runtime;

use crate::guest::Guest;
use crate::staged::{Staged, failure_text};

/// A hostile guest with its limits and its expected end.
#[derive(Debug)]
pub struct Attack {
    pub name: &'static str,
    pub component: Vec<u8>,
    pub limits: Limits,
    pub expected: Expected,
}

/// The expected end of an attack.
#[derive(Debug, Clone, Copy)]
pub enum Expected {
    /// A failure of this kind, whose message or causes contain this text.
    Failure(FailureKind, &'static str),
    /// The value of a good guest: the attack has no effect.
    Value,
}

impl Attack {
    /// Creates an attack that must fail, with default limits.
    pub fn new(name: &'static str, guest: Guest, kind: FailureKind, text: &'static str) -> Self {
        Self::of_bytes(name, guest.component(), kind, text)
    }

    /// Creates an attack that must fail from the bytes of a component.
    pub fn of_bytes(
        name: &'static str,
        component: Vec<u8>,
        kind: FailureKind,
        text: &'static str,
    ) -> Self {
        let expected = Expected::Failure(kind, text);
        Self { name, component, limits: Limits::default(), expected }
    }

    /// Creates an attack without effect, which must end with the value of a good guest.
    pub fn without_effect(name: &'static str, guest: Guest) -> Self {
        let component = guest.component();
        Self { name, component, limits: Limits::default(), expected: Expected::Value }
    }

    /// Sets the limits of the guest.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns whether the guest was rejected because its initial memory or table exceeds a slot of the pool.
    fn exceeds_pool_slot(&self, outcome: &Outcome) -> bool {
        LARGE_INITIAL_SIZE.contains(&self.name)
            && matches!(&outcome.end, End::Failure(failure)
                if failure.kind == FailureKind::Incompatible && failure_text(failure).contains("does not fit"))
    }

    /// Returns a message if the attack didn't end as expected.
    fn mismatch(&self, outcome: &Outcome) -> Option<String> {
        let is_expected = match (&outcome.end, self.expected) {
            (End::Failure(failure), Expected::Failure(kind, text)) => {
                failure.kind == kind && failure_text(failure).contains(text)
            }
            (End::Value(value), Expected::Value) => is_nil(value),
            _ => false,
        };
        (!is_expected).then(|| {
            let name = self.name;
            format!("{name}: expected {:?}, and it ended with {:?}", self.expected, outcome.end)
        })
    }
}

/// The names of attacks that a pooled executor rejects before they run.
const LARGE_INITIAL_SIZE: [&str; 2] =
    ["a 64-bit memory with a large initial size", "a table with a large initial size"];

/// Runs all `attacks` on the plain executor, on the pooled one, in worker processes and on threads of their own, each
/// followed by a good guest.
///
/// # Panics
///
/// When an attack doesn't end as expected, or a good guest no longer runs.
pub fn assert_all(attacks: Vec<Attack>) {
    static POOLED: OnceLock<Executor> = OnceLock::new();
    let pooled = POOLED.get_or_init(|| Executor::pooled(1));
    let mismatches: Vec<String> = [executor(), pooled, workers(), on_threads()]
        .into_iter()
        .flat_map(|executor| {
            attacks.iter().filter_map(|attack| {
                runtime().block_on(async {
                    let mut staged = Staged::new(&attack.component).await;
                    staged.manifest.job.limits = attack.limits;
                    let outcome = staged.run(executor).await;
                    assert_good(executor, attack.name).await;
                    let has_pool = ![self::executor(), on_threads()]
                        .iter()
                        .any(|it| std::ptr::eq(executor, *it));
                    let is_rejected = has_pool && attack.exceeds_pool_slot(&outcome);
                    attack.mismatch(&outcome).filter(|_| !is_rejected)
                })
            })
        })
        .collect();
    assert!(mismatches.is_empty(), "\n{}", mismatches.join("\n"));
}

/// Checks that a good guest runs after the attack `name`.
///
/// # Panics
///
/// When it doesn't.
pub async fn assert_good(executor: &Executor, name: &str) {
    let end = Staged::new(&Guest::GOOD.component()).await.run(executor).await.end;
    let is_good = matches!(&end, End::Value(value) if is_nil(value));
    assert!(is_good, "after {name}, a good guest ended with {end:?}");
}

/// Returns the executor without a pool.
pub fn executor() -> &'static Executor {
    static EXECUTOR: OnceLock<Executor> = OnceLock::new();
    EXECUTOR.get_or_init(Executor::new)
}

/// Returns the executor whose calls run in worker processes.
pub fn workers() -> &'static Executor {
    static WORKERS: OnceLock<Executor> = OnceLock::new();
    WORKERS.get_or_init(|| Executor::in_workers(1))
}

/// Returns the executor whose guests have a thread of their own each. A guest that was stopped leaves its thread behind.
pub fn on_threads() -> &'static Executor {
    static ON_THREADS: OnceLock<Executor> = OnceLock::new();
    ON_THREADS.get_or_init(Executor::for_one_call)
}

/// Returns the runtime of all attacks.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

fn is_nil(value: &Payload) -> bool {
    matches!(value, Payload::Inline(bytes) if bytes[..] == [0xc0])
}
