//! The keys of the runs that began in this process, as long as somebody may ask for their values.

use hype_wire::RunKey;

use crate::error::{Error, Result};
use crate::run::registry::{self, Registry};

/// Makes a run's key, which nobody else has, and keeps it in `registry`.
pub(crate) fn make(registry: &Registry, run_id: &str) -> Result<RunKey> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::runner("the system gives no random numbers", error))?;
    let key = RunKey::new(bytes);
    registry.keys().insert(run_id.to_owned(), key.clone());
    Ok(key)
}

/// Returns the key of a run of any submitter of this process.
pub(crate) fn find(run_id: &str) -> Option<RunKey> {
    registry::all().iter().find_map(|registry| registry.keys().get(run_id).cloned())
}

/// Forgets the key of a run of any submitter of this process.
pub(crate) fn forget(run_id: &str) {
    for registry in registry::all() {
        registry.keys().remove(run_id);
    }
}
