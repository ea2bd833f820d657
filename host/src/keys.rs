//! The keys of the runs that began in this process, as long as somebody may ask for their values.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use hype_wire::RunKey;

use crate::error::{Error, Result};

static KEYS: LazyLock<Mutex<HashMap<String, RunKey>>> = LazyLock::new(Mutex::default);

/// Makes a run's key, which nobody else has.
pub(crate) fn make(run_id: &str) -> Result<RunKey> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::runner("the system gives no random numbers", error))?;
    let key = RunKey::new(bytes);
    keys().insert(run_id.to_owned(), key.clone());
    Ok(key)
}

pub(crate) fn find(run_id: &str) -> Option<RunKey> {
    keys().get(run_id).cloned()
}

pub(crate) fn forget(run_id: &str) {
    keys().remove(run_id);
}

fn keys() -> MutexGuard<'static, HashMap<String, RunKey>> {
    KEYS.lock().unwrap_or_else(PoisonError::into_inner)
}
