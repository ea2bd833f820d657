use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::job::{Access, Mount};

/// The containers in which the items of a map run: what the job doesn't say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapContainers {
    /// The image.
    pub image: String,
    /// The requests for resources, by the resources' names.
    pub requests: BTreeMap<String, String>,
    /// The mounted directories of the machine, as the machine names them.
    pub directories: Vec<Mount>,
    /// The mounted volumes.
    pub volumes: Vec<MapVolume>,
    /// The names of the mounted secrets, by their paths in the guest.
    pub secrets: BTreeMap<String, String>,
}

/// A persistent volume that the containers of a map mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapVolume {
    /// The volume's name.
    pub name: String,
    /// The storage class.
    pub storage_class: String,
    /// The size, in Kubernetes' notation.
    pub size: String,
    /// The path in the guest.
    pub path: String,
    /// The guest's access to the volume.
    pub access: Access,
}
