//! Keys of the runs that this process started, which are kept until a run's value is collected.

use hype_wire::RunKey;

use crate::error::{Error, Result};
use crate::run::registry::{self, Registry};

/// Creates the secret key of a run, and keeps it in `registry`.
pub(crate) fn create(registry: &Registry, run_id: &str) -> Result<RunKey> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::runner("the system provides no random numbers", error))?;
    let key = RunKey::new(bytes);
    registry.keys().insert(run_id.to_owned(), key.clone());
    Ok(key)
}

/// Returns the key of a run, if any submitter of this process started it.
pub(crate) fn find(run_id: &str) -> Option<RunKey> {
    registry::all().iter().find_map(|registry| registry.keys().get(run_id).cloned())
}

/// Removes the key of a run from all submitters of this process.
pub(crate) fn forget(run_id: &str) {
    for registry in registry::all() {
        registry.keys().remove(run_id);
    }
}
