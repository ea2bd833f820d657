//! The live runs, keys and cleanup lists of one submitter, each dropped by its name or number.
//!
//! A program may have several submitters, and one may attach to a run of another. So there is a list
//! of all registries, which is as long as there are submitters.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hype_wire::RunKey;

use crate::known::KnownRun;
use crate::owned::List;

/// The number of removed runs that a registry remembers.
const REMEMBERED: usize = 10_000;

static REGISTRIES: Mutex<Vec<Weak<Registry>>> = Mutex::new(Vec::new());

/// The registry of one submitter.
#[derive(Default)]
pub(crate) struct Registry {
    runs: Mutex<HashMap<String, KnownRun>>,
    keys: Mutex<HashMap<String, RunKey>>,
    removed: Mutex<HashSet<String>>,
    lists: Mutex<HashMap<u64, Weak<List>>>,
    next_list: AtomicU64,
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

    /// Adds a cleanup list. Returns the number by which [`remove_list`](Self::remove_list) drops it.
    pub(crate) fn add_list(&self, list: Weak<List>) -> u64 {
        let number = self.next_list.fetch_add(1, Ordering::Relaxed);
        lock(&self.lists).insert(number, list);
        number
    }

    pub(crate) fn remove_list(&self, number: u64) {
        lock(&self.lists).remove(&number);
    }

    /// Returns the cleanup lists that are still held.
    pub(crate) fn lists(&self) -> Vec<Arc<List>> {
        lock(&self.lists).values().filter_map(Weak::upgrade).collect()
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
