//! The calls by which a guest lists a directory.
//!
//! WASI's names are text. A name that is not UTF-8 is left out, and the run's output says so, instead of
//! an error that ends the whole listing.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::sync::{Arc, Weak};

use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::ReaddirIterator;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    ErrorCode, HostDescriptor, HostDirectoryEntryStream,
};

use crate::execution::Guest;
use crate::files::{Identity, identity, opened};
use crate::filesystem::{TooMany, told};
use crate::limits::LISTINGS;
use crate::output::{Output, Stream};

/// How many of the names that are left out are told.
const TOLD: usize = 3;

/// What a guest lists.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    /// The directory of each list of entries, by the number of its handle.
    directories: HashMap<u32, Weak<File>>,
    /// Those of which the output says already that something is left out.
    told: HashSet<Identity>,
}

/// Replaces the calls in `types`, which has wasmtime's.
pub(crate) fn link(types: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    types.func_wrap_async(
        "[method]descriptor.read-directory",
        |mut store: StoreContextMut<'_, Guest>, (directory,): (Resource<Descriptor>,)| {
            Box::new(async move {
                let guest = store.data_mut();
                let all = guest.ctx().table.iter_mut();
                if all.filter(|one| one.is::<ReaddirIterator>()).count() >= LISTINGS {
                    return Err(TooMany::Listings.into());
                }
                let file = Arc::downgrade(opened(guest.ctx().table.get(&directory)?));
                let list = guest.filesystem().read_directory(directory).await;
                if let Ok(list) = &list {
                    guest.sandbox.listings.directories.insert(list.rep(), file);
                }
                told(list)
            })
        },
    )?;
    types.func_wrap_async(
        "[method]directory-entry-stream.read-directory-entry",
        |mut store: StoreContextMut<'_, Guest>, (list,): (Resource<ReaddirIterator>,)| {
            Box::new(async move {
                let guest = store.data_mut();
                loop {
                    let same = Resource::new_borrow(list.rep());
                    let entry = told(guest.filesystem().read_directory_entry(same).await)?;
                    match entry {
                        (Err(ErrorCode::IllegalByteSequence),) => {
                            guest.tell_left_out(list.rep()).await?;
                        }
                        entry => return Ok(entry),
                    }
                }
            })
        },
    )
}

impl Guest {
    /// Says in the output which names the list doesn't have, once for each directory.
    async fn tell_left_out(&mut self, list: u32) -> wasmtime::Result<()> {
        let listings = &mut self.sandbox.listings;
        let Some(directory) = listings.directories.remove(&list).and_then(|it| it.upgrade()) else {
            return Ok(());
        };
        if listings.told.insert(identity(&directory.metadata()?)) {
            let names = tokio::task::spawn_blocking(move || names_that_are_no_text(&directory));
            tell(&self.sandbox.output, &names.await?);
        }
        Ok(())
    }
}

fn tell(output: &Output, names: &[OsString]) {
    let told: Vec<_> = names.iter().take(TOLD).map(|name| format!("{name:?}")).collect();
    let more = match names.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let line = format!(
        "hype: a directory is listed without {}{more}: names that are not UTF-8 cannot be told to a \
         closure; rename them\n",
        if told.is_empty() { "a name".to_owned() } else { told.join(", ") }
    );
    output.write(Stream::Stderr, line.as_bytes());
}

/// The names in `directory` that are not UTF-8, sorted; none where they cannot be read again.
#[cfg(unix)]
fn names_that_are_no_text(directory: &File) -> Vec<OsString> {
    use std::os::unix::ffi::OsStringExt;

    let entries = rustix::fs::Dir::read_from(directory).into_iter().flatten();
    let names = entries.flatten().map(|entry| entry.file_name().to_bytes().to_vec());
    let names = names.filter(|name| std::str::from_utf8(name).is_err());
    let mut names: Vec<_> = names.map(OsString::from_vec).collect();
    names.sort();
    names
}

#[cfg(not(unix))]
fn names_that_are_no_text(_: &File) -> Vec<OsString> {
    Vec::new()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn line(names: &[&[u8]]) -> String {
        let output = Output::new(|_, _| {});
        let names: Vec<_> = names.iter().map(|name| OsString::from_vec(name.to_vec())).collect();
        tell(&output, &names);
        String::from_utf8_lossy(&output.tail(Stream::Stderr)).into_owned()
    }

    #[test]
    fn a_few_names_are_told_and_the_others_counted() {
        assert!(line(&[b"a\xff", b"b\n\xfe"]).contains(r#"without "a\xFF", "b\n\xFE": names"#));
        let many = line(&[b"a\xff", b"b\xff", b"c\xff", b"d\xff", b"e\xff"]);
        assert!(many.contains(r#""c\xFF" and 2 more: names"#), "{many}");
    }
}
