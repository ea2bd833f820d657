//! The components that a submitter has staged before.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hype_wire::Digest;

use crate::call::component::Component;
use crate::staging::artefact::CachedArtefact;

/// The components that are in the stage, with their machine code for a platform, if they have any. Runs in this process need
/// neither again as long as the component is loaded, so it doesn't matter that a collection may have removed them since.
#[derive(Debug, Default)]
pub(crate) struct KnownComponents(Mutex<HashMap<Key, Option<CachedArtefact>>>);

/// The digest of a component, and a platform.
type Key = (Digest, Option<String>);

impl KnownComponents {
    /// Returns the machine code of a staged component; `None` if the component isn't known to be staged.
    pub(crate) fn find(
        &self,
        component: &Component,
        platform: Option<&str>,
    ) -> Option<Option<CachedArtefact>> {
        self.lock().get(&key(component, platform)).cloned()
    }

    pub(crate) fn insert(
        &self,
        component: &Component,
        platform: Option<&str>,
        artefact: Option<CachedArtefact>,
    ) {
        self.lock().insert(key(component, platform), artefact);
    }

    /// Forgets all components, since one of them is not in the stage any more.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Option<CachedArtefact>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(component: &Component, platform: Option<&str>) -> Key {
    (component.digest(), platform.map(str::to_owned))
}
