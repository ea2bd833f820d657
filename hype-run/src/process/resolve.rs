//! From the name of a command to the file that it is, once and for all before the guest begins.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a command can't be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// There is no such program in these directories.
    Missing { path: String },
    /// It is this file, which a closure may write to.
    Writable { file: PathBuf, below: PathBuf },
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => {
                write!(f, "there is no such program in the runner's PATH, {path}")
            }
            Self::Writable { file, below } => write!(
                f,
                "it would be {}, and closures may write to {}",
                file.display(),
                below.display()
            ),
        }
    }
}

/// The file called `name` in one of the directories of `path`, without symbolic links. Directories that are
/// relative, and files below what is `writable`, are passed over. `program` gives the file without links that
/// a path leads to, if that may be executed.
pub(crate) fn resolve(
    name: &str,
    path: &OsStr,
    writable: &[PathBuf],
    program: impl Fn(&Path) -> io::Result<PathBuf>,
) -> Result<PathBuf, Unresolved> {
    let mut refused = None;
    for directory in std::env::split_paths(path).filter(|directory| directory.is_absolute()) {
        let candidate = directory.join(name);
        let Ok(file) = program(&candidate) else { continue };
        // Neither the file nor a link that leads to it may be a closure's.
        let below = writable.iter().find(|it| file.starts_with(it) || candidate.starts_with(it));
        match below {
            None => return Ok(file),
            Some(below) => {
                refused.get_or_insert(Unresolved::Writable { file, below: below.clone() });
            }
        }
    }
    let path = path.to_string_lossy().into_owned();
    Err(refused.unwrap_or(Unresolved::Missing { path }))
}

/// The file that `path` leads to, if it may be executed.
///
/// # Errors
///
/// When it isn't there, or may not be.
#[cfg(unix)]
pub(crate) fn program(path: &Path) -> io::Result<PathBuf> {
    use rustix::fs::{Access, access};

    let file = path.canonicalize()?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    access(&file, Access::EXEC_OK)?;
    Ok(file)
}

#[cfg(not(unix))]
pub(crate) fn program(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(name: &str, path: &str) -> Result<PathBuf, Unresolved> {
        let writable = ["/data", "/tmp"].map(PathBuf::from);
        resolve(name, path.as_ref(), &writable, |path| match path.to_str() {
            Some("/bin/cat") => Ok("/usr/bin/busybox".into()),
            Some("/data/cat" | "/tmp/cat" | "/data/own") => Ok(path.into()),
            Some("/link/cat") => Ok("/data/cat".into()),
            Some("/data/to-usr/cat") => Ok("/usr/bin/cat".into()),
            Some("./cat") => Ok("/here/cat".into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        })
    }

    #[test]
    fn what_closures_may_write_to_is_passed_over() {
        for path in ["/bin", "/none:/bin", "/data:/tmp:/link:/bin", "/data/to-usr:/bin", ".::/bin"]
        {
            assert_eq!(resolved("cat", path).unwrap(), Path::new("/usr/bin/busybox"), "{path}");
        }
        for path in ["/data:/none", "/link:/data", "/data/to-usr"] {
            let error = resolved("cat", path).unwrap_err().to_string();
            assert!(error.ends_with("and closures may write to /data"), "{error}");
        }
        for path in ["/none", ".", "", ":"] {
            let error = resolved("cat", path).unwrap_err();
            assert_eq!(error, Unresolved::Missing { path: path.to_owned() });
        }
    }

    #[cfg(unix)]
    #[test]
    fn programs_are_files_that_may_be_executed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::write(root.join("text"), "").unwrap();
        std::fs::write(root.join("run"), "").unwrap();
        std::fs::set_permissions(root.join("run"), PermissionsExt::from_mode(0o755)).unwrap();
        symlink("run", root.join("link")).unwrap();
        symlink("none", root.join("broken")).unwrap();
        assert_eq!(program(&root.join("link")).unwrap(), root.join("run"));
        for name in ["text", "broken", "."] {
            assert!(program(&root.join(name)).is_err(), "{name}");
        }
    }
}
