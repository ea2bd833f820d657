//! The calls by which files tell when they were made and changed, which a guest with a seed isn't told.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorStat, HostDescriptor, PathFlags};

use crate::execution::Guest;
use crate::filesystem::told;

/// Replaces the calls in `linker`, which has wasmtime's.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    types.func_wrap_async(
        "[method]descriptor.stat",
        |mut store: StoreContextMut<'_, Guest>, (file,): (Resource<Descriptor>,)| {
            Box::new(async move {
                let guest = store.data_mut();
                let stat = guest.filesystem().stat(file).await;
                told(guest.without_times(stat))
            })
        },
    )?;
    type Place = (Resource<Descriptor>, PathFlags, String);
    types.func_wrap_async(
        "[method]descriptor.stat-at",
        |mut store: StoreContextMut<'_, Guest>, (directory, flags, path): Place| {
            Box::new(async move {
                let guest = store.data_mut();
                let stat = guest.filesystem().stat_at(directory, flags, path).await;
                told(guest.without_times(stat))
            })
        },
    )
}

impl Guest {
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
