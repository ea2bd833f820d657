//! What the pages say that remains of a killed program's run until it is collected.

use crate::outcome::Outcome;
use crate::place::Place;
use crate::remains::{CONTAINER, MANIFEST, VOLUME};

/// What may be there once somebody who attached got the value or the failure.
pub(crate) fn after_value(place: Place) -> &'static [&'static str] {
    match place {
        // A directory of a transient volume is nobody's but the program's.
        Place::Local => &[VOLUME],
        // All goes, the transient volume too.
        Place::Docker | Place::Kubernetes => &[],
    }
}

/// What may be there where nobody could get it by attaching.
pub(crate) fn without_value(place: Place, outcome: Outcome) -> &'static [&'static str] {
    match (place, outcome) {
        // A run that ended with its process is removed.
        (Place::Local, Outcome::Lost) => &[VOLUME],
        // It may be in another cluster.
        (_, Outcome::Lost) => &[VOLUME, CONTAINER, MANIFEST, "lease", "arguments"],
        // Its program was removing it, or hadn't begun it.
        _ => &[VOLUME, CONTAINER, "lease", "outcome", "object of an attempt"],
    }
}
