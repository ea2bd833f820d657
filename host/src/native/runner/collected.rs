//! The report of a garbage collection outside the stage.

use crate::error::{Error, Result};

/// The resources that a garbage collection outside the stage removed and kept.
///
/// ```
/// use hype::runner::CollectedLeftovers;
///
/// let mut collected = CollectedLeftovers::from(vec!["volume hype-volume-1".to_owned()]);
/// collected.keep("container hype-run-tizxijbai4-1", "it is running");
/// assert_eq!(collected.kept[0].reason, "it is running");
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct CollectedLeftovers {
    /// The names of the removed resources, or in a dry run of those that would be removed.
    pub removed: Vec<String>,
    /// The resources of hype that are kept.
    pub kept: Vec<KeptLeftover>,
    /// The errors of resources that could not be removed, and of locations that could not be searched.
    pub failures: Vec<Error>,
}

/// A resource of hype that a garbage collection keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptLeftover {
    /// The name: `container hype-run-tizxijbai4-1`.
    pub name: String,
    /// The reason, as a clause: `it is running`.
    pub reason: String,
}

impl CollectedLeftovers {
    /// Adds a resource that is kept.
    pub fn keep(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.kept.push(KeptLeftover { name: name.into(), reason: reason.into() });
    }

    /// Adds a resource that was removed, or the error of its removal.
    pub fn record_removal(&mut self, name: impl Into<String>, removed: Result<()>) {
        match removed {
            Ok(()) => self.removed.push(name.into()),
            Err(error) => self.failures.push(error),
        }
    }

    /// Adds the report of another collection, or its error.
    pub fn record(&mut self, collected: Result<Self>) {
        match collected {
            Ok(Self { removed, kept, failures }) => {
                self.removed.extend(removed);
                self.kept.extend(kept);
                self.failures.extend(failures);
            }
            Err(error) => self.failures.push(error),
        }
    }

    /// Returns the first failure as an error.
    ///
    /// # Errors
    ///
    /// The first of [`failures`](Self::failures).
    pub fn check(self) -> Result<()> {
        self.failures.into_iter().next().map_or(Ok(()), Err)
    }
}

impl From<Vec<String>> for CollectedLeftovers {
    /// Reports resources that were removed, and none that are kept.
    fn from(removed: Vec<String>) -> Self {
        Self { removed, ..Self::default() }
    }
}

/// The reason to keep the resources of a run that the stage keeps.
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) const OF_KEPT_RUN: &str = "its run is young or detached";

/// The reason to keep a resource whose expiry has not passed.
pub(crate) const NOT_EXPIRED: &str = "it has not expired";

/// The reason to keep a resource whose process may still write an outcome.
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) const RUNNING: &str = "it is running";

/// The reason to keep a volume that outlives the programs that use it.
#[cfg(any(feature = "local", feature = "docker", feature = "kubernetes"))]
pub(crate) const PERSISTENT: &str = "it is persistent";

/// The reason to keep a resource of a program that exists.
#[cfg(any(unix, feature = "local"))]
pub(crate) const OF_LIVE_PROGRAM: &str = "its program is running";
