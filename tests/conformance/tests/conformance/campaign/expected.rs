//! What the pages say that remains of a killed program's run until it is collected.

use crate::campaign::outcome::Outcome;
use crate::campaign::place::Place;
use crate::campaign::remains::{CONTAINER, MANIFEST, VOLUME};

/// What may be there where nobody who attached got a value or a failure.
pub(crate) fn without_value(place: Place, outcome: Outcome) -> &'static [&'static str] {
    match (place, outcome) {
        // A run that ended with its process is removed, with the volumes of processes that are gone.
        (Place::Local, Outcome::Lost) => &[],
        // It may be in another cluster.
        (_, Outcome::Lost) => &[VOLUME, CONTAINER, MANIFEST, "lease", "arguments"],
        // Its program was removing it, or hadn't begun it.
        _ => &[VOLUME, CONTAINER, "lease", "outcome", "object of an attempt"],
    }
}
