//! Sharing of a volume between the Pods of a cluster.

use crate::environment::mount::VolumeRequest;

/// An access mode of a volume's claim, named as in Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessMode {
    /// Pods of one node may read and write.
    ReadWriteOnce,
    /// Pods of many nodes may read.
    ReadOnlyMany,
    /// Pods of many nodes may read and write.
    ReadWriteMany,
    /// One Pod may read and write.
    ReadWriteOncePod,
}

impl AccessMode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadOnlyMany => "ReadOnlyMany",
            Self::ReadWriteMany => "ReadWriteMany",
            Self::ReadWriteOncePod => "ReadWriteOncePod",
        }
    }
}

/// The method by which many closures that only read a volume access it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Readers {
    /// All Pods that use the volume run on the same node. Every storage class supports this.
    #[default]
    SameNode,
    /// Readers mount a copy, which the storage class creates after each change of the volume and which many nodes can
    /// mount. The copy is removed with the submitter.
    Clone,
    /// Readers mount the volume itself on any node: its storage class supports `ReadWriteMany` or `ReadOnlyMany`.
    Shared,
}

/// The settings of a volume's claim besides its storage class and size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sharing {
    /// The requested access modes; empty for the default of `readers`.
    pub(crate) access_modes: Vec<AccessMode>,
    pub(crate) readers: Readers,
}

impl Sharing {
    /// Returns the names of the claim's access modes.
    pub(crate) fn modes(&self) -> Vec<String> {
        let default = match self.readers {
            Readers::Shared => [AccessMode::ReadWriteMany],
            // Some drivers reject a claim with two modes.
            Readers::SameNode | Readers::Clone => [AccessMode::ReadWriteOnce],
        };
        let modes = if self.access_modes.is_empty() { &default[..] } else { &self.access_modes };
        modes.iter().map(|mode| mode.name().to_owned()).collect()
    }
}

/// Settings that only Kubernetes uses.
impl VolumeRequest {
    /// Sets the access modes of the volume's claim. The default is `ReadWriteOnce`, or `ReadWriteMany` with
    /// [`Readers::Shared`].
    ///
    /// ```
    /// use hype::kubernetes::AccessMode;
    ///
    /// let scores = hype::VolumeRequest::persistent("scores", "nfs", "10Gi")
    ///     .with_access_modes([AccessMode::ReadWriteMany]);
    /// ```
    #[must_use]
    pub fn with_access_modes(&self, modes: impl IntoIterator<Item = AccessMode>) -> Self {
        let modes = modes.into_iter().collect();
        self.change_sharing(|sharing| sharing.access_modes = modes)
    }

    /// Sets the method by which many closures that only read the volume access it.
    ///
    /// ```
    /// use hype::kubernetes::Readers;
    ///
    /// let models = hype::VolumeRequest::persistent("models", "ssd", "50Gi").readers(Readers::Clone);
    /// ```
    #[must_use]
    pub fn readers(&self, readers: Readers) -> Self {
        self.change_sharing(|sharing| sharing.readers = readers)
    }
}
