//! Files and directories that other users of this machine can't read, except on Windows, where they have the rights of
//! the parent directory.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Creates `directory` and its missing parents. Does nothing if it exists.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

/// The access that other users of this machine must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// Any access. The owner must be this user: a file system that maps all users to one, like NFS with `all_squash`,
    /// gives all of them the same access.
    All,
    /// Changes. The owner of a directory may be the user to whom its file system maps this one. Limit: other users that
    /// it maps to the same user can change the directory, too.
    #[cfg(feature = "local")]
    Writing,
}

/// Creates `directory` and its missing parents, and checks the access of other users to it, even if it existed.
///
/// # Errors
///
/// An error if the directory can't be created, or if other users have that access.
pub(crate) fn create_checked_directory(directory: &Path, forbidden: Forbidden) -> io::Result<()> {
    create_directory(directory)?;
    check(&fs::symlink_metadata(directory)?, directory, forbidden)
}

/// Checks the access of other users to the file or directory at `path`, which has the status `metadata`.
///
/// # Errors
///
/// An error if it is a symbolic link, or if other users have that access.
pub(crate) fn check(metadata: &Metadata, path: &Path, forbidden: Forbidden) -> io::Result<()> {
    let (access, mode) = match forbidden {
        Forbidden::All => ("usable", "go="),
        #[cfg(feature = "local")]
        Forbidden::Writing => ("writable", "go-w"),
    };
    let rule = format!("{} must be {access} only by this user", path.display());
    if let Some(owner) = other_owner(metadata, path, forbidden) {
        return Err(io::Error::other(format!(
            "{rule}, but user {owner} owns it: remove it, or use a file system that maps no users"
        )));
    }
    if metadata.is_symlink() || has_access(metadata, forbidden) {
        let path = path.display();
        return Err(io::Error::other(format!("{rule}: run `chmod {mode} {path}`, or remove it")));
    }
    Ok(())
}

/// Opens the file at `path` for writing at its end, and creates it if it doesn't exist.
#[cfg(feature = "local")]
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    private().create(true).append(true).open(path)
}

/// Creates the file at `path`, which must not exist.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    private().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Returns the default options: a file has the rights of its directory.
#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
}

/// Returns whether other users have this access by the file's mode.
#[cfg(unix)]
fn has_access(metadata: &Metadata, forbidden: Forbidden) -> bool {
    use std::os::unix::fs::MetadataExt;

    let bits = match forbidden {
        Forbidden::All => 0o077,
        #[cfg(feature = "local")]
        Forbidden::Writing => 0o022,
    };
    metadata.mode() & bits != 0
}

/// Returns false: files have the rights of their parent directory.
#[cfg(not(unix))]
fn has_access(_: &Metadata, _: Forbidden) -> bool {
    false
}

/// Returns the owner of the file or directory at `path`, unless it is this user.
#[cfg(unix)]
fn other_owner(metadata: &Metadata, path: &Path, forbidden: Forbidden) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    let mapped = || owner_of_new_file(path).filter(|_| metadata.is_dir());
    Some(metadata.uid()).filter(|owner| !is_own(*owner, forbidden, mapped))
}

/// Returns `None`: files have the rights of their parent directory.
#[cfg(not(unix))]
fn other_owner(_: &Metadata, _: &Path, _: Forbidden) -> Option<u32> {
    None
}

/// Returns whether `owner` is this user. `mapped` returns the user to whom the file system maps this one.
#[cfg(unix)]
fn is_own(owner: u32, forbidden: Forbidden, mapped: impl FnOnce() -> Option<u32>) -> bool {
    owner == rustix::process::geteuid().as_raw()
        || (forbidden != Forbidden::All && mapped() == Some(owner))
}

/// Returns the owner of the files that this user creates in `directory`. Some file systems map users.
#[cfg(unix)]
fn owner_of_new_file(directory: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    let file = tempfile::tempfile_in(directory).ok()?;
    file.metadata().ok().map(|metadata| metadata.uid())
}

#[cfg(test)]
#[cfg(all(unix, feature = "local"))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn mapped_owner_does_not_exclude_readers() {
        let user = rustix::process::geteuid().as_raw();
        for (owner, mapped, is_private, is_unwritable) in [
            (user, None, true, true),
            (user + 1, Some(user + 1), false, true),
            (user + 1, Some(user), false, false),
            (user + 1, None, false, false),
        ] {
            let is_own = |forbidden| is_own(owner, forbidden, || mapped);
            let found = (is_own(Forbidden::All), is_own(Forbidden::Writing));
            assert_eq!(found, (is_private, is_unwritable), "{owner} {mapped:?}");
        }
    }

    #[test]
    fn directory_of_other_users_is_rejected() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("hype");
        let check = |forbidden| create_checked_directory(&directory, forbidden);
        for (mode, is_private, is_unwritable) in [
            (0o700, true, true),
            (0o755, false, true),
            (0o701, false, true),
            (0o770, false, false),
            (0o702, false, false),
            (0o1777, false, false),
        ] {
            create_directory(&directory).unwrap();
            fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
            let found = (check(Forbidden::All).is_ok(), check(Forbidden::Writing).is_ok());
            assert_eq!(found, (is_private, is_unwritable), "{mode:o}");
        }
        let error = check(Forbidden::Writing).unwrap_err().to_string();
        assert!(error.contains("must be writable only by this user: run `chmod go-w "), "{error}");
        let link = parent.path().join("link");
        fs::create_dir(parent.path().join("own")).unwrap();
        std::os::unix::fs::symlink("own", &link).unwrap();
        assert!(create_checked_directory(&link, Forbidden::Writing).is_err());
    }
}
