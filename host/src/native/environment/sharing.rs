//! How a volume is shared by Pods of a cluster: what its claim asks for, and who reads it.

use crate::environment::mount::VolumeRequest;

/// How a claim may be mounted, as Kubernetes calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessMode {
    /// By the Pods of one node, for reading and writing.
    ReadWriteOnce,
    /// By the Pods of many nodes, for reading.
    ReadOnlyMany,
    /// By the Pods of many nodes, for reading and writing.
    ReadWriteMany,
    /// By one Pod.
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

/// How closures that only read a volume come to it, when there are many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Readers {
    /// They run on one node, that of whoever else uses the volume. Every disk can do that.
    #[default]
    SameNode,
    /// They read a copy, made by the storage class each time that the volume was written to, which
    /// many nodes can mount. It goes when the submitter does.
    Clone,
    /// They mount it on any node: its class has `ReadWriteMany` or `ReadOnlyMany`.
    Shared,
}

/// What a volume's claim asks for, besides class and size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sharing {
    /// None for what suits its readers.
    pub(crate) access_modes: Vec<AccessMode>,
    pub(crate) readers: Readers,
}

impl Sharing {
    /// The claim's access modes, as Kubernetes calls them.
    pub(crate) fn modes(&self) -> Vec<String> {
        let suited = match self.readers {
            Readers::Shared => [AccessMode::ReadWriteMany],
            // Some drivers refuse a claim that asks for a second one besides.
            Readers::SameNode | Readers::Clone => [AccessMode::ReadWriteOnce],
        };
        let modes = if self.access_modes.is_empty() { &suited[..] } else { &self.access_modes };
        modes.iter().map(|mode| mode.name().to_owned()).collect()
    }
}

/// What counts on a cluster alone.
impl VolumeRequest {
    /// With these access modes of its claim, rather than `ReadWriteOnce`, or `ReadWriteMany` where
    /// readers [share](Readers::Shared) it.
    #[must_use]
    pub fn with_access_modes(&self, modes: impl IntoIterator<Item = AccessMode>) -> Self {
        let modes = modes.into_iter().collect();
        self.change_sharing(|sharing| sharing.access_modes = modes)
    }

    /// With closures that only read it coming to it so.
    #[must_use]
    pub fn readers(&self, readers: Readers) -> Self {
        self.change_sharing(|sharing| sharing.readers = readers)
    }
}
