//! Open folders of a stage in a directory. Everything is opened, created and removed relative to an open folder, and
//! never through a symbolic link.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
use rustix::fs::RenameFlags;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// The mode of new folders in a stage of one user.
const FOLDER_MODE: Mode = Mode::RWXU;

/// The mode of new files in a stage of one user.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The flags by which a folder is opened.
const FOLDER_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The start of the name that a new folder of a shared stage has in the root until others may use it.
pub(super) const NEW_FOLDER: &str = "folder";

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    /// The further rights of new folders in a shared stage: those of the users who can write to its root. Files get
    /// these without the right to execute.
    shared: Mode,
    /// The root of a shared stage, in which new folders get their rights before they get their names.
    shared_root: Option<Arc<OwnedFd>>,
}

impl Folder {
    /// Opens the root of a stage, whose path may contain symbolic links.
    pub(crate) fn open_root(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        let shared = rights_of_writers(Mode::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode));
        let shared_root = match shared.is_empty() {
            true => None,
            false => Some(Arc::new(fd.try_clone()?)),
        };
        Ok(Self { fd, shared, shared_root })
    }

    /// Returns another handle of this folder.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(self.with(self.fd.try_clone()?))
    }

    /// Returns an open folder of the same stage.
    fn with(&self, fd: OwnedFd) -> Self {
        Self { fd, shared: self.shared, shared_root: self.shared_root.clone() }
    }

    /// Opens the folder `name` in this one; `None` if it is missing.
    pub(crate) fn find(&self, name: &str) -> io::Result<Option<Self>> {
        match self.open(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Opens the folder `name` in this one.
    pub(crate) fn open(&self, name: &str) -> io::Result<Self> {
        let opened = rustix::fs::openat(&self.fd, name, FOLDER_FLAGS, Mode::empty());
        Ok(self.with(opened.map_err(|error| self.describe(name, error))?))
    }

    /// Creates the folder `name`, which must not exist, and opens it.
    pub(crate) fn create(&self, name: &str) -> io::Result<Self> {
        let Some(root) = &self.shared_root else {
            rustix::fs::mkdirat(&self.fd, name, FOLDER_MODE)?;
            return self.open(name);
        };
        // The user's umask limits the rights of a new folder, so that other users could find it before they may use it.
        let (temporary, ()) = create_temporary(NEW_FOLDER, |temporary| {
            Ok(rustix::fs::mkdirat(root, temporary, FOLDER_MODE)?)
        })?;
        let named = || {
            let fd = rustix::fs::openat(root, &temporary, FOLDER_FLAGS, Mode::empty())?;
            add_rights(&fd, self.shared)?;
            move_new(root, &temporary, &self.fd, name)?;
            Ok(self.with(fd))
        };
        named().inspect_err(|_: &io::Error| {
            // The directory is empty, and the error says more.
            let _ = rustix::fs::unlinkat(root, &temporary, AtFlags::REMOVEDIR);
        })
    }

    /// Opens the folder `name`, and creates it if it is missing.
    pub(crate) fn open_or_create(&self, name: &str) -> io::Result<Self> {
        match self.open(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => match self.create(name) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => self.open(name),
                created => created,
            },
            opened => opened,
        }
    }

    /// Returns whether this folder has a regular file of this name.
    pub(crate) fn has_file(&self, name: &str) -> bool {
        self.open_file(name).is_ok()
    }

    /// Opens the regular file `name` for reading.
    pub(super) fn open_file(&self, name: &str) -> io::Result<File> {
        // Without O_NONBLOCK, opening a FIFO would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.fd, name, flags, Mode::empty());
        let file = File::from(opened.map_err(|error| self.describe(name, error))?);
        match file.metadata()?.file_type() {
            kind if kind.is_file() => Ok(file),
            kind if kind.is_dir() => Err(ErrorKind::NotFound.into()),
            _ => Err(not_regular(name, "neither a file nor a directory")),
        }
    }

    /// Creates the file `name`, which must not exist, for reading and writing.
    pub(super) fn create_file(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, FILE_MODE)?;
        add_rights(&fd, self.shared - (Mode::XGRP | Mode::XOTH))?;
        Ok(fd.into())
    }

    /// Renames the file `from`, in place of a file `to`.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, from, &self.fd, to)?)
    }

    /// Gives the file `from` the further name `to`, which must not exist.
    pub(super) fn link(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::linkat(&self.fd, from, &self.fd, to, AtFlags::empty())?)
    }

    /// Links the file `name` into the folder `to`. Copies it if links are impossible, or if the file belongs to another
    /// user and only that user can read it. Returns whether a regular file of this name exists.
    pub(crate) fn share(&self, name: &str, to: &Self) -> io::Result<bool> {
        let Some(stat) = self.stat(name)? else { return Ok(false) };
        if file_type(&stat) != FileType::RegularFile {
            return Ok(false);
        }
        if is_readable(&stat) {
            match rustix::fs::linkat(&self.fd, name, &to.fd, name, AtFlags::empty()) {
                // Files with equal bytes are one blob.
                Ok(()) | Err(Errno::EXIST) => return Ok(true),
                Err(Errno::NOENT) => return Ok(false),
                Err(
                    Errno::XDEV
                    | Errno::PERM
                    | Errno::ACCESS
                    | Errno::MLINK
                    | Errno::OPNOTSUPP
                    | Errno::NOSYS,
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.copy(name, to)
    }

    fn copy(&self, name: &str, to: &Self) -> io::Result<bool> {
        let mut source = match self.open_file(name) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            source => source?,
        };
        let mut target = match to.create_file(name) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(true),
            target => target?,
        };
        io::copy(&mut source, &mut target)?;
        Ok(true)
    }

    /// Removes the file or link `name`.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?)
    }

    /// Removes the folder `name` if it is empty. Returns whether it is gone.
    pub(crate) fn remove_empty(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the names in this folder that are UTF-8.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => names.push(name.to_owned()),
            }
        }
        Ok(names)
    }

    /// Returns the status of `name` itself, even if it is a symbolic link; `None` if it is missing.
    pub(super) fn stat(&self, name: &str) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            stat => Ok(Some(stat?)),
        }
    }

    /// Returns the time at which `name` was last modified; `None` if it is missing.
    pub(crate) fn modified(&self, name: &str) -> io::Result<Option<SystemTime>> {
        Ok(self.stat(name)?.as_ref().map(modified))
    }

    /// Names a symbolic link or a file as the cause of an error, since systems report one as a loop.
    fn describe(&self, name: &str, error: Errno) -> io::Error {
        if !matches!(error, Errno::NOTDIR | Errno::LOOP | Errno::MLINK) {
            return error.into();
        }
        match self.stat(name) {
            Ok(Some(stat)) if file_type(&stat) == FileType::Symlink => {
                not_regular(name, "a symbolic link, which no stage contains")
            }
            _ if error == Errno::NOTDIR => {
                io::Error::new(ErrorKind::NotADirectory, format!("{name} is not a directory"))
            }
            _ => error.into(),
        }
    }
}

/// Returns the kind of file that `stat` describes.
pub(super) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Returns the modification time in `stat`.
pub(super) fn modified(stat: &Stat) -> SystemTime {
    let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

/// Returns all rights of the group and of other users, as far as they can write to a root of this mode.
fn rights_of_writers(root: Mode) -> Mode {
    let of = |write: Mode, all: Mode| if root.contains(write) { all } else { Mode::empty() };
    of(Mode::WGRP, Mode::RWXG) | of(Mode::WOTH, Mode::RWXO)
}

/// Calls `create` with temporary names for `name` until one of them is free. Returns the name and the result.
pub(super) fn create_temporary<T>(
    name: &str,
    mut create: impl FnMut(&str) -> io::Result<T>,
) -> io::Result<(String, T)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        // Processes of other machines and containers may have the same number as this one.
        let number = u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{name}#{number}");
        match create(&temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return Ok((temporary, created?)),
        }
    }
}

/// Moves a folder to a name that doesn't exist.
fn move_new(from: &OwnedFd, name: &str, to: &OwnedFd, new_name: &str) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    match rustix::fs::renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
        // The file system, for example NFS, can't check the new name.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        moved => return Ok(moved?),
    }
    // A folder replaces an empty one, whose users get an error and retry.
    match rustix::fs::renameat(from, name, to, new_name) {
        Err(Errno::NOTEMPTY) => Err(ErrorKind::AlreadyExists.into()),
        moved => Ok(moved?),
    }
}

/// Adds `rights` to an open file or folder, whatever the user's umask is.
fn add_rights(fd: &OwnedFd, rights: Mode) -> io::Result<()> {
    if rights.is_empty() {
        return Ok(());
    }
    let mode = Mode::from_raw_mode(rustix::fs::fstat(fd)?.st_mode);
    Ok(rustix::fs::fchmod(fd, mode | rights)?)
}

/// Returns whether a process of this user without capabilities can read the file. Groups are not considered.
fn is_readable(stat: &Stat) -> bool {
    let mode = Mode::from_raw_mode(stat.st_mode);
    let is_own = stat.st_uid == rustix::process::geteuid().as_raw();
    if is_own { mode.contains(Mode::RUSR) } else { mode.contains(Mode::ROTH) }
}

fn not_regular(name: &str, what: &str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, format!("{name} is {what}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::sync::Arc;

    use super::*;

    #[test]
    fn files_of_a_shared_stage_are_for_those_who_can_write_to_its_root() {
        for (root, folder, file) in [
            (0o700, 0o700, 0o600),
            (0o755, 0o700, 0o600),
            (0o770, 0o770, 0o660),
            (0o1777, 0o777, 0o666),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let permissions = std::fs::Permissions::from_mode(root);
            std::fs::set_permissions(directory.path(), permissions).unwrap();
            let runs = Folder::open_root(directory.path()).unwrap().open_or_create("runs").unwrap();
            runs.create("run-1").unwrap().create_file("manifest").unwrap();
            let mode =
                |path: &str| std::fs::metadata(directory.path().join(path)).unwrap().mode() & 0o777;
            assert_eq!((mode("runs"), mode("runs/run-1")), (folder, folder), "{root:o}");
            assert_eq!(mode("runs/run-1/manifest"), file, "{root:o}");
        }
    }

    #[test]
    fn folder_of_a_shared_stage_never_lacks_its_rights() {
        let directory = tempfile::tempdir().unwrap();
        let permissions = std::fs::Permissions::from_mode(0o770);
        std::fs::set_permissions(directory.path(), permissions).unwrap();
        let root = Folder::open_root(directory.path()).unwrap();
        let runs = root.open_or_create("runs").unwrap();
        let creator = Arc::new(());
        let created = Arc::downgrade(&creator);
        std::thread::scope(|scope| {
            // Dropped when the creation of a folder fails, so that the watcher doesn't wait for the folder.
            let _creator = creator;
            let watching = scope.spawn(|| {
                let name = |number: usize| directory.path().join(format!("runs/run-{number}"));
                (0..FOLDERS).all(|number| {
                    loop {
                        if let Ok(metadata) = std::fs::metadata(name(number)) {
                            break metadata.mode() & 0o777 == 0o770;
                        }
                        if created.strong_count() == 0 {
                            break false;
                        }
                    }
                })
            });
            for number in 0..FOLDERS {
                runs.create(&format!("run-{number}")).unwrap();
            }
            assert!(watching.join().unwrap());
        });
        let error = runs.create("run-0").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(root.names().unwrap(), ["runs"]);
    }

    #[test]
    fn folder_gets_another_temporary_name_if_one_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let permissions = std::fs::Permissions::from_mode(0o770);
        std::fs::set_permissions(directory.path(), permissions).unwrap();
        let root = Folder::open_root(directory.path()).unwrap();
        let (first, ()) = create_temporary(NEW_FOLDER, |_| Ok(())).unwrap();
        let first: u64 = first.rsplit_once('#').unwrap().1.parse().unwrap();
        for number in first..first + FOLDERS as u64 {
            std::fs::create_dir(directory.path().join(format!("{NEW_FOLDER}#{number}"))).unwrap();
        }
        root.create("runs").unwrap();
    }

    const FOLDERS: usize = 1000;
}
