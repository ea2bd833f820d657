//! The calls that return timestamps and identities of files, without them for a guest with a seed.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorStat, HostDescriptor, MetadataHashValue, PathFlags,
};

use crate::execution::Guest;
use crate::filesystem::to_call_result;

/// Replaces wasmtime's calls in `linker`.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    types.func_wrap_async(
        "[method]descriptor.stat",
        |mut store: StoreContextMut<'_, Guest>, (file,): (Resource<Descriptor>,)| {
            Box::new(async move {
                let guest = store.data_mut();
                let stat = guest.filesystem().stat(file).await;
                to_call_result(guest.without_times(stat))
            })
        },
    )?;
    type StatArguments = (Resource<Descriptor>, PathFlags, String);
    types.func_wrap_async(
        "[method]descriptor.stat-at",
        |mut store: StoreContextMut<'_, Guest>, (directory, flags, path): StatArguments| {
            Box::new(async move {
                let guest = store.data_mut();
                let stat = guest.filesystem().stat_at(directory, flags, path).await;
                to_call_result(guest.without_times(stat))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.metadata-hash",
        |mut store: StoreContextMut<'_, Guest>, (file,): (Resource<Descriptor>,)| {
            Box::new(async move {
                let guest = store.data_mut();
                let hash = guest.filesystem().metadata_hash(file).await;
                to_call_result(guest.without_identity(hash))
            })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.metadata-hash-at",
        |mut store: StoreContextMut<'_, Guest>, (directory, flags, path): StatArguments| {
            Box::new(async move {
                let guest = store.data_mut();
                let hash = guest.filesystem().metadata_hash_at(directory, flags, path).await;
                to_call_result(guest.without_identity(hash))
            })
        },
    )
}

impl Guest {
    /// Replaces the hash of a file's inode, which differs between runs and machines, with zero.
    fn without_identity(&self, hash: FsResult<MetadataHashValue>) -> FsResult<MetadataHashValue> {
        hash.map(|hash| match self.sandbox.clock {
            Some(_) => MetadataHashValue { lower: 0, upper: 0 },
            None => hash,
        })
    }

    fn without_times(&self, stat: FsResult<DescriptorStat>) -> FsResult<DescriptorStat> {
        stat.map(|stat| match self.sandbox.clock {
            Some(_) => DescriptorStat {
                data_access_timestamp: None,
                data_modification_timestamp: None,
                status_change_timestamp: None,
                ..stat
            },
            None => stat,
        })
    }
}
