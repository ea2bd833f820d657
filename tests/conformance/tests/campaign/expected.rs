//! What the pages say that remains.

use crate::outcome::Outcome;
use crate::place::Place;
use crate::remains::{CONTAINER, VOLUME};

/// What may be there of a killed program's run once somebody attached to it, until it is collected.
pub(crate) fn after_attach(place: Place, outcome: Outcome) -> &'static [&'static str] {
    match (place, outcome) {
        // A run in a process takes nothing along but its directories of volumes.
        (Place::Local, _) => &[VOLUME],
        // All goes, and the transient volume with it.
        (_, Outcome::Value | Outcome::Failure) => &[],
        // There is nothing by which the volume or the container could be found, or the program was removing the run.
        (_, Outcome::NeverBegan | Outcome::Taken) => {
            &[VOLUME, CONTAINER, "lease", "outcome", "object of an attempt"]
        }
        // It may be in another cluster.
        (_, Outcome::Lost) => &[VOLUME, CONTAINER, "manifest", "lease", "arguments"],
    }
}
