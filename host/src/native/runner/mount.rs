//! Mounts of a guest's directories.

#[cfg(any(feature = "local", feature = "docker"))]
use std::path::Path;

use hype_wire::{Access, Mount};

use crate::environment::check::guest_path;
#[cfg(any(feature = "local", feature = "docker"))]
use crate::error::Error;
use crate::error::Result;

/// Returns a mount of the existing `directory` at `path`.
#[cfg(any(feature = "local", feature = "docker"))]
pub(crate) fn host_mount(directory: &Path, path: &str, access: Access) -> Result<Mount> {
    let source = directory.canonicalize().map_err(|error| {
        Error::input(format!("cannot mount {} at {path}", directory.display())).because(error)
    })?;
    let source = source
        .to_str()
        .ok_or_else(|| Error::input(format!("the path {} is not UTF-8", source.display())))?;
    Ok(Mount { source: source.to_owned(), path: guest_path(path)?, access })
}

/// Returns a mount with the same path in the container and in the guest.
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(crate) fn same_path_mount(path: &str, access: Access) -> Result<Mount> {
    Ok(Mount { source: path.to_owned(), path: guest_path(path)?, access })
}
