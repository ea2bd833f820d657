//! Files named by the digests of their bytes, none of which is believed.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use hype_stage::hashed_copy;
use hype_wire::Blob;
use tempfile::NamedTempFile;

use super::room::{self, Room};

/// What the name of a blob ends with.
const BLOB: &str = ".hype-blob";

/// What the name of a blob ends with that is being written, or was when its writer died.
const PART: &str = ".hype-part";

/// A directory of blobs, and how much of it may still be filled.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    room: Room,
    /// Whether something could not be written. Then nothing is tried any more.
    is_closed: AtomicBool,
}

impl Directory {
    pub(super) fn new(path: PathBuf, bound: u64) -> Self {
        Self { path, room: Room::new(bound), is_closed: AtomicBool::new(false) }
    }

    /// The bytes of `blob`, if they are there.
    pub(super) fn read(&self, blob: &Blob) -> Option<Vec<u8>> {
        self.found(blob, |file| {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(usize::try_from(blob.size).unwrap_or(usize::MAX))?;
            file.read_to_end(&mut bytes)?;
            Ok((Blob::of(&bytes), bytes))
        })
    }

    /// Copies `blob` to a new file at `to`, and tells whether it was there. If not, neither is the
    /// file.
    pub(super) fn copy(&self, blob: &Blob, to: &Path) -> bool {
        let copied = self.found(blob, |file| Ok((hashed_copy(file, &mut create(to)?)?, ())));
        if copied.is_none() {
            // What makes it a miss is told rather than that there was nothing to remove.
            let _ = std::fs::remove_file(to);
        }
        copied.is_some()
    }

    /// Copies `blob` to `file`, and tells whether it was there. If not, what `file` has is of no use.
    pub(super) fn fill(&self, blob: &Blob, mut file: &File) -> bool {
        self.found(blob, |from| Ok((hashed_copy(from, &mut file)?, ()))).is_some()
    }

    /// What `take` makes of the file of `blob`, if it also finds that blob in it.
    fn found<T>(
        &self,
        blob: &Blob,
        take: impl FnOnce(&mut io::Take<&File>) -> io::Result<(Blob, T)>,
    ) -> Option<T> {
        let path = self.path_of(blob);
        let found = open(&path, blob).and_then(|file| {
            let (found, taken) = take(&mut (&file).take(blob.size))?;
            if found != *blob {
                return Err(altered());
            }
            // It was used last. Where it may not be written to, its age is that of its bytes.
            let _ = file.set_modified(SystemTime::now());
            Ok(taken)
        });
        match found {
            Ok(taken) => return Some(taken),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!("{} in the cache was altered: it is replaced", path.display());
            }
            Err(error) => tracing::debug!("cannot read {} in the cache: {error}", path.display()),
        }
        None
    }

    /// Keeps `bytes`, which are those of `blob`.
    pub(super) fn keep(&self, blob: &Blob, bytes: &mut impl Read) {
        if self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.write(blob, bytes)
            && !self.is_closed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("nothing is kept in the cache {}: {error}", self.path.display());
        }
    }

    /// Keeps what `file` has, which are the bytes of `blob`.
    ///
    /// It is copied, since the cache's is for everybody to alter who can write there.
    pub(super) fn keep_file(&self, blob: &Blob, mut file: &File) {
        match file.rewind() {
            Ok(()) => self.keep(blob, &mut file),
            Err(error) => tracing::debug!("cannot read what was fetched: {error}"),
        }
    }

    /// Writes the file of `blob`, over another if there is one, in one step. Nobody waits for the
    /// disk: what a crash leaves of it is found to be altered.
    fn write(&self, blob: &Blob, bytes: &mut impl Read) -> io::Result<()> {
        let is_ours = |name: &str| name.ends_with(BLOB) || name.ends_with(PART);
        if !self.room.take(blob.size, || room::entries(&self.path, is_ours))? {
            return Ok(());
        }
        let mut part = self.part()?;
        io::copy(bytes, part.as_file_mut())?;
        part.persist(self.path_of(blob)).map(drop).map_err(|error| error.error)
    }

    /// An empty file of this user's alone, in the directory, which is made if need be.
    fn part(&self) -> io::Result<NamedTempFile> {
        let make = || tempfile::Builder::new().prefix("").suffix(PART).tempfile_in(&self.path);
        make().or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            let mut directories = std::fs::DirBuilder::new();
            directories.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut directories, 0o700);
            directories.create(&self.path)?;
            make()
        })
    }

    fn path_of(&self, blob: &Blob) -> PathBuf {
        self.path.join(format!("{}{BLOB}", blob.digest))
    }
}

/// The file at `path` if it has as many bytes as `blob`.
///
/// It may be anything: a pipe that nobody writes to, a device, a link to either.
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

/// A new file at `path` that is this user's alone.
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
