use crate::store::{Store, Versioning};

/// What a server has, and who may use it. Without any token everybody may.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Settings {
    buckets: Vec<(String, Versioning)>,
}

impl Settings {
    /// No bucket.
    pub fn new() -> Self {
        Self::default()
    }

    /// A bucket that forgets what is overwritten or deleted.
    pub fn with_bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push((name.into(), Versioning::Off));
        self
    }

    /// A bucket that keeps each generation of its objects.
    pub fn with_versioned_bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push((name.into(), Versioning::On));
        self
    }

    pub(crate) fn store(&self) -> Store {
        let mut store = Store::default();
        for (name, versioning) in &self.buckets {
            store.add_bucket(name, *versioning);
        }
        store
    }
}
