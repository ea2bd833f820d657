//! The documented remains of a killed program's run before garbage collection.

use crate::campaign::outcome::Outcome;
use crate::campaign::remains::{CONTAINER, ENTRY, MANIFEST, VIEW, VOLUME};
use crate::campaign::site::RunnerKind;

/// Returns what may remain if no attacher got a value or a failure.
pub(crate) fn without_value(runner: RunnerKind, outcome: Outcome) -> &'static [&'static str] {
    match (runner, outcome) {
        // A local run whose process is gone is removed, with the volumes of dead processes.
        (RunnerKind::Local, Outcome::Lost) => &[],
        // The run may be in another cluster.
        (_, Outcome::Lost) => &[VOLUME, CONTAINER, MANIFEST, VIEW, "lease", "arguments", ENTRY],
        // The program was removing the run, or hadn't started it.
        _ => &[VOLUME, CONTAINER, VIEW, "lease", "outcome", "object of an attempt", ENTRY],
    }
}
