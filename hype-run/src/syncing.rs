//! The calls that wait until a file is on the disk, and large writes.
//!
//! The other calls on a file of `/tmp` run on the guest's thread. These take as long as the disk needs for all that was
//! or is written, so they always run on another one.

use std::io;

use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir, File, WasiFilesystemView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, HostDescriptor};

use crate::execution::Guest;
use crate::filesystem::{CallResult, to_call_result};

/// Replaces wasmtime's calls in `types`.
pub(crate) fn link(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    for (name, is_data_only) in
        [("[method]descriptor.sync", false), ("[method]descriptor.sync-data", true)]
    {
        types.func_wrap_async(
            name,
            move |mut store: StoreContextMut<'_, Guest>, (file,): (Resource<Descriptor>,)| {
                Box::new(async move { store.data_mut().sync(&file, is_data_only).await })
            },
        )?;
    }
    Ok(())
}

impl Guest {
    async fn sync(
        &mut self,
        file: &Resource<Descriptor>,
        is_data_only: bool,
    ) -> wasmtime::Result<CallResult<()>> {
        let other = match self.open_elsewhere(file) {
            Ok(other) => other,
            Err(error) => return to_call_result(Err(error)),
        };
        let same = Resource::new_borrow(other.rep());
        let synced = match is_data_only {
            true => self.filesystem().sync_data(same).await,
            false => self.filesystem().sync(same).await,
        };
        self.table.delete(other)?;
        to_call_result(synced)
    }

    /// Writes to a file of `/tmp`, on another thread.
    pub(crate) async fn write_on_another_thread(
        &mut self,
        file: &Resource<Descriptor>,
        bytes: Vec<u8>,
        at: u64,
    ) -> FsResult<u64> {
        let other = self.open_elsewhere(file)?;
        let same = Resource::new_borrow(other.rep());
        let written = self.filesystem().write(same, bytes, at).await;
        self.table.delete(other)?;
        written
    }

    /// Returns a descriptor of the same file or directory whose calls run on another thread. The caller deletes it.
    pub(crate) fn open_elsewhere(
        &mut self,
        descriptor: &Resource<Descriptor>,
    ) -> FsResult<Resource<Descriptor>> {
        let other = on_another_thread(self.table.get(descriptor)?).map_err(ErrorCode::from)?;
        Ok(self.table.push(other)?)
    }
}

/// Returns a descriptor of the same file whose calls run on another thread.
fn on_another_thread(descriptor: &Descriptor) -> io::Result<Descriptor> {
    Ok(match descriptor {
        Descriptor::File(file) => {
            let same = file.file.try_clone()?;
            Descriptor::File(File::new(same, file.perms, file.open_mode, false))
        }
        Descriptor::Dir(directory) => {
            let same = directory.dir.try_clone()?;
            Descriptor::Dir(Dir::new(same, directory.perms, directory.open_mode, false))
        }
    })
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;
    use wasmtime_wasi::filesystem::{WasiFilesystemCtx, WasiFilesystemCtxView};
    use wasmtime_wasi::{FsPerms, OpenMode};

    use super::*;
    use crate::blocking::poll_without_threads;

    /// Returns whether `call` waits for another thread, with a file of `/tmp` and with one from [`on_another_thread`].
    fn is_pending<T>(
        call: impl AsyncFn(&mut WasiFilesystemCtxView<'_>, Resource<Descriptor>) -> T,
    ) -> [bool; 2] {
        let mode = OpenMode::READ | OpenMode::WRITE;
        let file = File::new(tempfile::tempfile().unwrap(), FsPerms::ReadWrite, mode, true);
        let file = Descriptor::File(file);
        let other = on_another_thread(&file).unwrap();
        let (mut table, mut ctx) = (ResourceTable::new(), WasiFilesystemCtx::default());
        [file, other].map(|descriptor| {
            let descriptor = table.push(descriptor).unwrap();
            let mut view = WasiFilesystemCtxView { table: &mut table, ctx: &mut ctx };
            poll_without_threads(call(&mut view, descriptor)).is_pending()
        })
    }

    #[test]
    fn file_of_tmp_is_synced_on_another_thread() {
        let sync = async |view: &mut WasiFilesystemCtxView<'_>, file| view.sync(file).await;
        assert_eq!(is_pending(sync), [false, true]);
    }

    #[test]
    fn large_write_to_tmp_runs_on_another_thread() {
        let write = async |view: &mut WasiFilesystemCtxView<'_>, file| {
            view.write(file, vec![1; 2 << 20], 0).await
        };
        assert_eq!(is_pending(write), [false, true]);
    }
}
