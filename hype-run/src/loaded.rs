//! The components that stay in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hype_wire::Digest;

use crate::callee::ReadyComponent;

/// The number of components that stay in memory, the most recently used.
const MAX_COMPONENTS: usize = 16;

/// The most recently used components of an executor.
#[derive(Default)]
pub(crate) struct LoadedComponents(Mutex<Vec<(Digest, ReadyComponent)>>);

impl LoadedComponents {
    /// Returns the component with this digest if it is in memory, and marks it as used.
    pub(crate) fn get(&self, digest: &Digest) -> Option<ReadyComponent> {
        let mut components = self.lock();
        let index = components.iter().position(|(loaded, _)| loaded == digest)?;
        let last_used = components.remove(index);
        let component = last_used.1.clone();
        components.push(last_used);
        Some(component)
    }

    /// Adds the component with this digest, and forgets the one that was not used for the longest time if there are too
    /// many.
    pub(crate) fn add(&self, digest: Digest, component: ReadyComponent) {
        let mut components = self.lock();
        components.retain(|(loaded, _)| *loaded != digest);
        if components.len() == MAX_COMPONENTS {
            components.remove(0);
        }
        components.push((digest, component));
    }

    /// Forgets the component with this digest.
    #[cfg(target_os = "linux")]
    pub(crate) fn remove(&self, digest: &Digest) {
        self.lock().retain(|(loaded, _)| loaded != digest);
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Returns the components; the most recently used is the last.
    fn lock(&self) -> MutexGuard<'_, Vec<(Digest, ReadyComponent)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
