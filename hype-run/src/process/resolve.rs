//! The search for the program of a command, before the guest begins.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The reason for which a command can't start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// None of the directories in `path` contains such a program.
    Missing { path: String },
    /// The program is `file`, and closures can write to the directory `below`.
    Writable { file: PathBuf, below: PathBuf },
    /// The program is `file`, which only root can execute, and commands run as the user `nobody`.
    Private { file: PathBuf },
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
            Self::Private { file } => write!(
                f,
                "it would be {}, which only root can execute, and commands of root's programs run as nobody",
                file.display()
            ),
        }
    }
}

/// An executable file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// The path of the file, without symbolic links.
    pub(crate) file: PathBuf,
    /// Whether this process can execute the file, but commands can't.
    pub(crate) is_private: bool,
}

/// Searches the directories of `path` for the program `name`. Returns its path without symbolic links. Skips relative
/// directories, files below `writable` and private files. `program` returns the executable file at a path.
pub(crate) fn resolve(
    name: &str,
    path: &OsStr,
    writable: &[PathBuf],
    program: impl Fn(&Path) -> io::Result<Program>,
) -> Result<PathBuf, Unresolved> {
    let mut rejected = None;
    for directory in std::env::split_paths(path).filter(|directory| directory.is_absolute()) {
        let candidate = directory.join(name);
        let Ok(Program { file, is_private }) = program(&candidate) else { continue };
        // A closure must be able to write neither to the file nor to a link that leads to it.
        let below = writable.iter().find(|it| file.starts_with(it) || candidate.starts_with(it));
        match below {
            Some(below) => {
                rejected.get_or_insert(Unresolved::Writable { file, below: below.clone() });
            }
            None if is_private => {
                rejected.get_or_insert(Unresolved::Private { file });
            }
            None => return Ok(file),
        }
    }
    let path = path.to_string_lossy().into_owned();
    Err(rejected.unwrap_or(Unresolved::Missing { path }))
}

/// Returns the file that `path` leads to, if this process can execute it.
///
/// # Errors
///
/// Returns an error if the file doesn't exist, or this process can't execute it.
#[cfg(unix)]
pub(crate) fn program(path: &Path) -> io::Result<Program> {
    use rustix::fs::{Access, access};

    let file = path.canonicalize()?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    access(&file, Access::EXEC_OK)?;
    Ok(Program { file, is_private: false })
}

/// Returns the file that `path` leads to, for a command in a room, which runs as the user `nobody` if this process runs
/// as root. The file is private if only root can execute it.
///
/// # Errors
///
/// Returns an error if the file doesn't exist, or this process can't execute it.
#[cfg(unix)]
pub(crate) fn program_of_commands(path: &Path) -> io::Result<Program> {
    use std::os::unix::fs::PermissionsExt;

    let program = program(path)?;
    if !rustix::process::geteuid().is_root() {
        return Ok(program);
    }
    let everyone = |path: &Path| Ok::<_, io::Error>(path.metadata()?.permissions().mode() & 0o1);
    let mut is_private = false;
    for path in program.file.ancestors() {
        is_private |= everyone(path)? == 0;
    }
    Ok(Program { is_private, ..program })
}

#[cfg(not(unix))]
pub(crate) fn program(path: &Path) -> io::Result<Program> {
    Ok(Program { file: path.canonicalize()?, is_private: false })
}

#[cfg(not(unix))]
pub(crate) fn program_of_commands(path: &Path) -> io::Result<Program> {
    program(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(name: &str, path: &str) -> Result<PathBuf, Unresolved> {
        let writable = ["/data", "/tmp"].map(PathBuf::from);
        resolve(name, path.as_ref(), &writable, |path| {
            let file = match path.to_str() {
                Some("/bin/cat") => "/usr/bin/busybox",
                Some("/data/cat") => "/data/cat",
                Some("/tmp/cat") => "/tmp/cat",
                Some("/root/bin/cat") => "/root/bin/cat",
                Some("/link/cat") => "/data/cat",
                Some("/data/to-usr/cat") => "/usr/bin/cat",
                Some("./cat") => "/here/cat",
                _ => return Err(io::ErrorKind::NotFound.into()),
            };
            Ok(Program { file: file.into(), is_private: file.starts_with("/root") })
        })
    }

    #[test]
    fn writable_and_private_programs_are_skipped() {
        for path in [
            "/bin",
            "/none:/bin",
            "/data:/tmp:/link:/bin",
            "/data/to-usr:/bin",
            "/root/bin:/bin",
            ".::/bin",
        ] {
            assert_eq!(resolved("cat", path).unwrap(), Path::new("/usr/bin/busybox"), "{path}");
        }
        for path in ["/data:/none", "/link:/data", "/data/to-usr"] {
            let error = resolved("cat", path).unwrap_err().to_string();
            assert!(error.ends_with("and closures may write to /data"), "{error}");
        }
        let error = resolved("cat", "/root/bin:/none").unwrap_err().to_string();
        assert!(error.contains("/root/bin/cat, which only root can execute"), "{error}");
        for path in ["/none", ".", "", ":"] {
            let error = resolved("cat", path).unwrap_err();
            assert_eq!(error, Unresolved::Missing { path: path.to_owned() });
        }
    }

    #[cfg(unix)]
    #[test]
    fn program_is_an_executable_file() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::write(root.join("text"), "").unwrap();
        std::fs::write(root.join("run"), "").unwrap();
        std::fs::set_permissions(root.join("run"), PermissionsExt::from_mode(0o755)).unwrap();
        symlink("run", root.join("link")).unwrap();
        symlink("none", root.join("broken")).unwrap();
        assert_eq!(program(&root.join("link")).unwrap().file, root.join("run"));
        for name in ["text", "broken", "."] {
            assert!(program(&root.join(name)).is_err(), "{name}");
        }
    }
}
