//! Stores in this process, for tests: whoever opens one by the same name sees the same objects.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use object_store::memory::InMemory;

static STORES: LazyLock<Mutex<HashMap<String, Arc<InMemory>>>> = LazyLock::new(Mutex::default);

/// The store called `name`, which lives as long as this process.
pub(super) fn open(name: &str) -> Arc<InMemory> {
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(stores.entry(name.to_owned()).or_default())
}
