//! Registries of runs: each submitter has one, with its live runs, their keys, and the runs that it removed.
//!
//! A program may have several submitters, and one may attach to a run of another. So a global list contains the
//! registries of all submitters.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hype_wire::RunKey;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::run::lease::WeakLease;
use crate::run::log::Log;
use crate::run::status::Status;

/// The maximum number of removed runs that a registry remembers. After that, it forgets all of them.
const MAX_REMOVED: usize = 10_000;

static REGISTRIES: Mutex<Vec<Weak<Registry>>> = Mutex::new(Vec::new());

/// A run that a submitter of this process drives.
pub(crate) struct DrivenRun {
    #[cfg_attr(not(unix), expect(dead_code, reason = "only control sockets report it"))]
    pub(crate) function: String,
    pub(crate) log: Log,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) lease: WeakLease,
    pub(crate) cancel: CancellationToken,
}

/// The registry of one submitter.
#[derive(Default)]
pub(crate) struct Registry {
    runs: Mutex<HashMap<String, DrivenRun>>,
    keys: Mutex<HashMap<String, RunKey>>,
    removed: Mutex<HashSet<String>>,
}

impl Registry {
    /// Creates a registry and adds it to the global list.
    pub(crate) fn register() -> Arc<Self> {
        let registry = Arc::new(Self::default());
        let mut registries = lock(&REGISTRIES);
        registries.retain(|registry| registry.strong_count() > 0);
        registries.push(Arc::downgrade(&registry));
        registry
    }

    /// Locks and returns the runs that this submitter drives, by their ids.
    pub(crate) fn runs(&self) -> MutexGuard<'_, HashMap<String, DrivenRun>> {
        lock(&self.runs)
    }

    /// Locks and returns the keys of runs whose values are not collected yet, by the runs' ids.
    pub(crate) fn keys(&self) -> MutexGuard<'_, HashMap<String, RunKey>> {
        lock(&self.keys)
    }

    /// Records that this submitter removes, or has removed, the staged objects of a run.
    pub(crate) fn remember_removed(&self, run_id: &str) {
        let mut removed = lock(&self.removed);
        if removed.len() >= MAX_REMOVED {
            removed.clear();
        }
        removed.insert(run_id.to_owned());
    }

    /// Returns whether this submitter removes, or has removed, the staged objects of a run.
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
