//! The calls that list a directory.
//!
//! Names in WASI are UTF-8. A name that isn't UTF-8 is omitted and reported in the guest's standard error,
//! instead of an error that ends the whole listing.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use hype_stage::PerProcess;
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource, ResourceType};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{DirectoryEntry, ErrorCode};

use crate::budget::{Charge, OverBudget};
use crate::execution::Guest;
use crate::files::{Identity, identity};
use crate::filesystem::{CallResult, TooMany};
use crate::limits::LISTINGS;
use crate::output::{GuestOutput, Stream};

/// The maximum number of omitted names in a report.
const MAX_REPORTED_NAMES: usize = 3;

/// The bytes of an entry of a listing besides its name.
const ENTRY: u64 = 96;

/// The directories that the process reads concurrently: one for each core. Reading a large directory occupies a core,
/// and without a limit guests that list directories would leave less for the others.
static READS: PerProcess<Semaphore> = PerProcess::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    Semaphore::new(cores)
});

/// The maximum time that a listing waits for others. A file system that doesn't answer delays no other listing longer.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// The directories whose omitted names were reported.
#[derive(Debug, Default)]
pub(crate) struct Reported(HashSet<Identity>);

/// A directory that a guest lists. The host holds all entries, which are charged to the guest.
pub(crate) struct Listing {
    entries: std::vec::IntoIter<Entry>,
    directory: Arc<File>,
    _charge: Charge,
}

/// An entry of a directory, or `None` if its name isn't UTF-8.
type Entry = Option<DirectoryEntry>;

/// The error of a listing: of the directory, or of the guest's budget.
enum ListError {
    Directory(ErrorCode),
    OverBudget(OverBudget),
}

/// Replaces wasmtime's calls in `types`.
pub(crate) fn link(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    let listing = ResourceType::host::<Listing>();
    types.resource("directory-entry-stream", listing, |mut store, listing| {
        store.data_mut().table.delete(Resource::<Listing>::new_own(listing))?;
        Ok(())
    })?;
    types.func_wrap_async(
        "[method]descriptor.read-directory",
        |mut store: StoreContextMut<'_, Guest>, (directory,): (Resource<Descriptor>,)| {
            Box::new(async move {
                let guest = store.data_mut();
                if guest.table.iter_mut().filter(|one| one.is::<Listing>()).count() >= LISTINGS {
                    return Err(TooMany::Listings.into());
                }
                match guest.list(&directory).await {
                    Ok(listing) => Ok((Ok(guest.table.push(listing)?),)),
                    Err(ListError::Directory(code)) => Ok((Err(code),)),
                    Err(ListError::OverBudget(error)) => Err(error.into()),
                }
            })
        },
    )?;
    types.func_wrap_async(
        "[method]directory-entry-stream.read-directory-entry",
        |mut store: StoreContextMut<'_, Guest>, (list,): (Resource<Listing>,)| {
            Box::new(async move {
                let guest = store.data_mut();
                loop {
                    let entry = guest.table.get_mut(&list)?.entries.next();
                    match entry {
                        Some(None) => guest.report_omitted_names(&list).await?,
                        entry => {
                            let found: CallResult<_> = (Ok(entry.flatten()),);
                            return Ok(found);
                        }
                    }
                }
            })
        },
    )
}

impl Guest {
    /// Lists a directory.
    #[cfg(unix)]
    async fn list(&mut self, directory: &Resource<Descriptor>) -> Result<Listing, ListError> {
        let invalid = ListError::Directory(ErrorCode::BadDescriptor);
        let Ok(descriptor) = self.table.get(directory) else { return Err(invalid) };
        let Descriptor::Dir(directory) = descriptor else {
            return Err(ListError::Directory(ErrorCode::NotDirectory));
        };
        let directory = Arc::clone(&directory.dir);
        // Handles that were closed are no longer charged.
        self.measure_held().map_err(ListError::OverBudget)?;
        let mut charge = self.budget.empty_charge();
        let listing = read_in_turn(move || {
            let entries = entries(&directory, &mut charge)?.into_iter();
            Ok(Listing { entries, directory, _charge: charge })
        });
        listing.await.unwrap_or(Err(ListError::Directory(ErrorCode::Io)))
    }

    /// Lists a directory.
    #[cfg(not(unix))]
    async fn list(&mut self, directory: &Resource<Descriptor>) -> Result<Listing, ListError> {
        use wasmtime_wasi::filesystem::WasiFilesystemView;
        use wasmtime_wasi::p2::bindings::filesystem::types::HostDescriptor;

        let code = |error: wasmtime_wasi::p2::FsError| error.downcast().unwrap_or(ErrorCode::Io);
        let failed = |error| ListError::Directory(code(error));
        let Ok(opened) = self.table.get(directory) else {
            return Err(ListError::Directory(ErrorCode::BadDescriptor));
        };
        let opened = Arc::clone(crate::files::opened(opened));
        let same = Resource::new_borrow(directory.rep());
        let list = self.filesystem().read_directory(same).await.map_err(failed)?;
        let list = self.table.delete(list).map_err(|_| ListError::Directory(ErrorCode::Io))?;
        let mut charge = self.budget.empty_charge();
        let mut entries = Vec::new();
        for entry in list {
            let entry = match entry.map_err(code) {
                Ok(entry) => Some(entry),
                Err(ErrorCode::IllegalByteSequence) => None,
                Err(error) => return Err(ListError::Directory(error)),
            };
            let name = entry.as_ref().map_or(0, |entry| entry.name.len());
            charge.grow(name as u64 + ENTRY).map_err(ListError::OverBudget)?;
            entries.push(entry);
        }
        Ok(Listing { entries: entries.into_iter(), directory: opened, _charge: charge })
    }

    /// Reports the names that a listing omits, once per directory.
    async fn report_omitted_names(&mut self, list: &Resource<Listing>) -> wasmtime::Result<()> {
        let directory = Arc::clone(&self.table.get(list)?.directory);
        if self.sandbox.reported.0.insert(identity(&directory.metadata()?)) {
            let names = read_in_turn(move || non_utf8_names(&directory));
            report(&self.sandbox.output, &names.await?);
        }
        Ok(())
    }
}

/// Runs `read`, which reads a directory, on a blocking thread once fewer than the maximum number of directories are read.
async fn read_in_turn<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let permit = tokio::time::timeout(MAX_WAIT, READS.get().acquire()).await;
    let reading = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        read()
    });
    reading.await
}

/// Opens `directory` again to read it: the guest's descriptor may only resolve paths.
#[cfg(unix)]
fn read(directory: &File) -> rustix::io::Result<rustix::fs::Dir> {
    use rustix::fs::{Dir, Mode, OFlags, openat};

    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Dir::new(openat(directory, c".", flags, Mode::empty())?)
}

/// Returns the entries of `directory`. Grows `charge` by their size, and stops when that fails.
#[cfg(unix)]
fn entries(directory: &File, charge: &mut Charge) -> Result<Vec<Entry>, ListError> {
    use rustix::fs::{AtFlags, FileType, statat};

    let failed =
        |error: rustix::io::Errno| ListError::Directory(std::io::Error::from(error).into());
    let mut entries = Vec::new();
    for entry in read(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        charge.grow(name.count_bytes() as u64 + ENTRY).map_err(ListError::OverBudget)?;
        let kind = match entry.file_type() {
            FileType::Unknown => match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                // The entry was removed in the meantime.
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(failed(error)),
            },
            kind => kind,
        };
        let name = name.to_str().ok();
        let type_ = descriptor_type(kind);
        entries.push(name.map(|name| DirectoryEntry { type_, name: name.to_owned() }));
    }
    Ok(entries)
}

#[cfg(unix)]
fn descriptor_type(
    kind: rustix::fs::FileType,
) -> wasmtime_wasi::p2::bindings::filesystem::types::DescriptorType {
    use rustix::fs::FileType;
    use wasmtime_wasi::p2::bindings::filesystem::types::DescriptorType;

    match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        _ => DescriptorType::Unknown,
    }
}

fn report(output: &GuestOutput, names: &[OsString]) {
    let reported: Vec<_> =
        names.iter().take(MAX_REPORTED_NAMES).map(|name| format!("{name:?}")).collect();
    let more = match names.len().saturating_sub(MAX_REPORTED_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let line = format!(
        "hype: a directory is listed without {}{more}: names that are not UTF-8 cannot be passed to \
         a closure; rename them\n",
        if reported.is_empty() { "a name".to_owned() } else { reported.join(", ") }
    );
    output.write(Stream::Stderr, line.as_bytes());
}

/// Returns the names in `directory` that are not UTF-8, sorted. Returns none if the directory cannot be
/// read again.
#[cfg(unix)]
fn non_utf8_names(directory: &File) -> Vec<OsString> {
    use std::os::unix::ffi::OsStringExt;

    let entries = read(directory).into_iter().flatten();
    let mut names: Vec<_> = entries
        .flatten()
        .map(|entry| entry.file_name().to_bytes().to_vec())
        .filter(|name| std::str::from_utf8(name).is_err())
        .map(OsString::from_vec)
        .collect();
    names.sort();
    names
}

#[cfg(not(unix))]
fn non_utf8_names(_: &File) -> Vec<OsString> {
    Vec::new()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn line(names: &[&[u8]]) -> String {
        let output = GuestOutput::new(|_, _| {});
        let names: Vec<_> = names.iter().map(|name| OsString::from_vec(name.to_vec())).collect();
        report(&output, &names);
        String::from_utf8_lossy(&output.tail(Stream::Stderr)).into_owned()
    }

    #[test]
    fn warning_names_three_files_and_counts_the_rest() {
        assert!(line(&[b"a\xff", b"b\n\xfe"]).contains(r#"without "a\xFF", "b\n\xFE": names"#));
        let many = line(&[b"a\xff", b"b\xff", b"c\xff", b"d\xff", b"e\xff"]);
        assert!(many.contains(r#""c\xFF" and 2 more: names"#), "{many}");
    }
}
