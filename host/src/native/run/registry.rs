//! The live runs and their keys of one submitter, each dropped by its run's name.
//!
//! A program may have several submitters, and one may attach to a run of another. So there is a list
//! of all registries, which is as long as there are submitters.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hype_wire::RunKey;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::run::lease::WeakLease;
use crate::run::status::Status;

/// The number of removed runs that a registry remembers.
const REMEMBERED: usize = 10_000;

static REGISTRIES: Mutex<Vec<Weak<Registry>>> = Mutex::new(Vec::new());

/// A run that a submitter drives.
pub(crate) struct KnownRun {
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) lease: WeakLease,
    pub(crate) cancel: CancellationToken,
}

/// The registry of one submitter.
#[derive(Default)]
pub(crate) struct Registry {
    runs: Mutex<HashMap<String, KnownRun>>,
    keys: Mutex<HashMap<String, RunKey>>,
    removed: Mutex<HashSet<String>>,
}

impl Registry {
    /// Returns a new registry, which [`all`] returns from now on.
    pub(crate) fn register() -> Arc<Self> {
        let registry = Arc::new(Self::default());
        let mut registries = lock(&REGISTRIES);
        registries.retain(|registry| registry.strong_count() > 0);
        registries.push(Arc::downgrade(&registry));
        registry
    }

    /// Returns the runs that this submitter drives, by their names.
    pub(crate) fn runs(&self) -> MutexGuard<'_, HashMap<String, KnownRun>> {
        lock(&self.runs)
    }

    /// Returns the keys of runs whose values may still be asked for, by the runs' names.
    pub(crate) fn keys(&self) -> MutexGuard<'_, HashMap<String, RunKey>> {
        lock(&self.keys)
    }

    /// Remembers that the objects of a run are being removed.
    pub(crate) fn remember_removed(&self, run_id: &str) {
        let mut removed = lock(&self.removed);
        if removed.len() >= REMEMBERED {
            removed.clear();
        }
        removed.insert(run_id.to_owned());
    }

    /// Returns whether this submitter removed the objects of a run.
    pub(crate) fn has_removed(&self, run_id: &str) -> bool {
        lock(&self.removed).contains(run_id)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({} runs)", self.runs().len())
    }
}

/// Returns the registries of all submitters of this process.
pub(crate) fn all() -> Vec<Arc<Registry>> {
    lock(&REGISTRIES).iter().filter_map(Weak::upgrade).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
