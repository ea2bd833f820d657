//! What a guest does, and how it must end.

use std::sync::OnceLock;

use hype_run::Executor;
use hype_wire::{End, FailureKind, Limits, Outcome, Payload};
use tokio::runtime::Runtime;

use crate::guest::Guest;
use crate::staged::{Staged, told};

/// One hostile guest.
#[derive(Debug)]
pub struct Shape {
    pub name: &'static str,
    pub component: Vec<u8>,
    pub limits: Limits,
    pub end: Expected,
}

/// How a shape must end.
#[derive(Debug, Clone, Copy)]
pub enum Expected {
    /// With a failure of this kind, whose message or causes have these words.
    Failure(FailureKind, &'static str),
    /// With nothing, the value of a good guest: what it tried did it no good.
    Value,
}

impl Shape {
    /// A guest that must end so, within the limits that a manifest doesn't name.
    pub fn new(name: &'static str, guest: Guest, kind: FailureKind, words: &'static str) -> Self {
        Self::of_bytes(name, guest.component(), kind, words)
    }

    /// The same for a component that isn't made of a [`Guest`].
    pub fn of_bytes(
        name: &'static str,
        component: Vec<u8>,
        kind: FailureKind,
        words: &'static str,
    ) -> Self {
        let end = Expected::Failure(kind, words);
        Self { name, component, limits: Limits::default(), end }
    }

    /// A guest that tries something in vain.
    pub fn in_vain(name: &'static str, guest: Guest) -> Self {
        let component = guest.component();
        Self { name, component, limits: Limits::default(), end: Expected::Value }
    }

    /// The same with these limits.
    #[must_use]
    pub fn within(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether it asks from the beginning for more than is set aside for anybody, and was told so.
    fn is_misfit(&self, outcome: &Outcome) -> bool {
        LARGE_FROM_THE_BEGINNING.contains(&self.name)
            && matches!(&outcome.end, End::Failure(failure)
                if failure.kind == FailureKind::Incompatible && told(failure).contains("does not fit"))
    }

    /// Why it didn't end as it must.
    fn complaint(&self, outcome: &Outcome) -> Option<String> {
        let is_right = match (&outcome.end, self.end) {
            (End::Failure(failure), Expected::Failure(kind, words)) => {
                failure.kind == kind && told(failure).contains(words)
            }
            (End::Value(value), Expected::Value) => is_nothing(value),
            _ => false,
        };
        (!is_right).then(|| {
            let name = self.name;
            format!("{name}: expected {:?}, and it ended with {:?}", self.end, outcome.end)
        })
    }
}

/// Shapes that are refused before they run where room is set aside for guests.
const LARGE_FROM_THE_BEGINNING: [&str; 2] =
    ["one of 64 bits that is large from the beginning", "a table that is large from the beginning"];

/// Runs all of `shapes` on both executors of this process, each followed by a good guest.
///
/// # Panics
///
/// When one of them doesn't end as it must, or a good guest doesn't run any more.
pub fn assert_all(shapes: Vec<Shape>) {
    static POOLED: OnceLock<Executor> = OnceLock::new();
    let pooled = POOLED.get_or_init(|| Executor::pooled(1));
    let complaints: Vec<String> = [executor(), pooled]
        .into_iter()
        .flat_map(|executor| {
            shapes.iter().filter_map(|shape| {
                runtime().block_on(async {
                    let mut staged = Staged::new(&shape.component).await;
                    staged.manifest.job.limits = shape.limits;
                    let outcome = staged.run(executor).await;
                    assert_good(executor, shape.name).await;
                    let is_misfit = std::ptr::eq(executor, pooled) && shape.is_misfit(&outcome);
                    shape.complaint(&outcome).filter(|_| !is_misfit)
                })
            })
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

async fn assert_good(executor: &Executor, name: &str) {
    let end = Staged::new(&Guest::GOOD.component()).await.run(executor).await.end;
    let is_good = matches!(&end, End::Value(value) if is_nothing(value));
    assert!(is_good, "after {name}, a good guest ended with {end:?}");
}

/// The executor of calls that share nothing.
pub fn executor() -> &'static Executor {
    static EXECUTOR: OnceLock<Executor> = OnceLock::new();
    EXECUTOR.get_or_init(Executor::new)
}

/// The threads that they run on.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

fn is_nothing(value: &Payload) -> bool {
    matches!(value, Payload::Inline(bytes) if bytes[..] == [0xc0])
}
