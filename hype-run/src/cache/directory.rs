//! A directory of files that are named by their digests and verified on each read.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use hype_stage::hashed_copy;
use hype_wire::Blob;
use tempfile::NamedTempFile;

use super::eviction::{self, Budget};

/// The suffix of the file name of a blob.
const BLOB_SUFFIX: &str = ".hype-blob";

/// The suffix of the file name of a blob that is being written, or whose writer died.
const PART_SUFFIX: &str = ".hype-part";

/// A directory of blobs with a maximum size.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    budget: Budget,
    /// Whether a write has failed. Afterwards nothing is written.
    is_broken: AtomicBool,
}

impl Directory {
    pub(super) fn new(path: PathBuf, max_size: u64) -> Self {
        Self { path, budget: Budget::new(max_size), is_broken: AtomicBool::new(false) }
    }

    /// Returns the bytes of `blob`, if the cache has them.
    pub(super) fn read(&self, blob: &Blob) -> Option<Vec<u8>> {
        self.verified(blob, |mut file| {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(usize::try_from(blob.size).unwrap_or(usize::MAX))?;
            file.by_ref().take(blob.size).read_to_end(&mut bytes)?;
            Ok((Blob::of(&bytes), bytes))
        })
    }

    /// Copies `blob` to a new file at `to`. Returns whether the cache has the blob; if not, no file is
    /// left at `to`.
    pub(super) fn copy(&self, blob: &Blob, to: &Path) -> bool {
        let copied =
            self.verified(blob, |from| Ok((hashed_copy(from, &create(to)?, blob.size)?, ())));
        if copied.is_none() {
            // The file doesn't exist if the blob could not be opened.
            let _ = std::fs::remove_file(to);
        }
        copied.is_some()
    }

    /// Copies `blob` to `file`. Returns whether the cache has the blob; if not, the content of `file` is
    /// undefined.
    #[cfg(any(target_os = "linux", test))]
    pub(super) fn fill(&self, blob: &Blob, file: &File) -> bool {
        self.verified(blob, |from| Ok((hashed_copy(from, file, blob.size)?, ()))).is_some()
    }

    /// Reads the file of `blob` with `read`, which returns the blob that it found and a result. Returns
    /// the result if that is the right blob.
    fn verified<T>(
        &self,
        blob: &Blob,
        read: impl FnOnce(&File) -> io::Result<(Blob, T)>,
    ) -> Option<T> {
        let path = self.path_of(blob);
        let verified = open(&path, blob).and_then(|file| {
            let (found, result) = read(&file)?;
            if found != *blob {
                return Err(altered());
            }
            // The time of the last use, for eviction. A read-only file keeps the time of its creation.
            let _ = file.set_modified(SystemTime::now());
            Ok(result)
        });
        match verified {
            Ok(result) => return Some(result),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!("{} in the cache was altered: it is replaced", path.display());
            }
            Err(error) => tracing::debug!("cannot read {} in the cache: {error}", path.display()),
        }
        None
    }

    /// Stores `bytes`, the content of `blob`.
    pub(super) fn store(&self, blob: &Blob, bytes: &mut impl Read) {
        if self.is_broken.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.write(blob, bytes)
            && !self.is_broken.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "cannot write to the cache {}, so that nothing more is cached: {error}",
                self.path.display()
            );
        }
    }

    /// Stores the content of `file`, which is that of `blob`.
    ///
    /// The file is copied, not linked, so that a process that alters the cache doesn't alter `file`.
    pub(super) fn store_file(&self, blob: &Blob, mut file: &File) {
        match file.rewind() {
            Ok(()) => self.store(blob, &mut file),
            Err(error) => tracing::debug!("cannot read the fetched file: {error}"),
        }
    }

    /// Writes the file of `blob` and replaces an existing one atomically. Doesn't sync the disk: after a
    /// crash, a read finds an incomplete file altered.
    fn write(&self, blob: &Blob, bytes: &mut impl Read) -> io::Result<()> {
        let is_entry = |name: &str| name.ends_with(BLOB_SUFFIX) || name.ends_with(PART_SUFFIX);
        if !self.budget.reserve(blob.size, || eviction::entries(&self.path, is_entry))? {
            return Ok(());
        }
        let mut part = self.create_part()?;
        io::copy(bytes, part.as_file_mut())?;
        part.persist(self.path_of(blob)).map(drop).map_err(|error| error.error)
    }

    /// Creates an empty file in the directory that only this user can read. Creates the directory if it
    /// doesn't exist.
    fn create_part(&self) -> io::Result<NamedTempFile> {
        let create =
            || tempfile::Builder::new().prefix("").suffix(PART_SUFFIX).tempfile_in(&self.path);
        create().or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            let mut directories = std::fs::DirBuilder::new();
            directories.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut directories, 0o700);
            directories.create(&self.path)?;
            create()
        })
    }

    fn path_of(&self, blob: &Blob) -> PathBuf {
        self.path.join(format!("{}{BLOB_SUFFIX}", blob.digest))
    }
}

/// Opens the file at `path` if it is a regular file of the size of `blob`.
///
/// The path may also lead to a pipe, a device or a symbolic link: opening it must not block or follow it.
fn open(path: &Path, blob: &Blob) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.len() == blob.size { Ok(file) } else { Err(altered()) }
}

/// Creates a file at `path` that only this user can read.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn altered() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
