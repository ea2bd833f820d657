//! Content of a directory of this machine, as paths in the guest.

use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The content of a directory.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Content {
    /// The files: their paths in the guest, each with its path on this machine.
    pub(crate) files: Vec<(String, PathBuf)>,
    /// The paths in the guest of the directory itself and of all empty directories below it.
    pub(crate) directories: Vec<String>,
}

/// Lists the content of the directory `source`, which the guest sees at `path`.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input), with the path that cannot be staged: a link that leads out of the directory,
/// nowhere or to a directory above itself, a name that is not UTF-8, or something that is neither file nor directory.
pub(crate) fn content(source: &Path, path: &str) -> Result<Content> {
    let root = source.canonicalize().map_err(|error| unreadable(source, error))?;
    if !root.is_dir() {
        return Err(Error::input(format!("{} is no directory", source.display()))
            .hint("stage a single file by RunEnvironment::with_file"));
    }
    let mut content = Content { files: Vec::new(), directories: vec![path.to_owned()] };
    let mut walk = Walk { root: &root, content: &mut content };
    walk.directory(&root, path, &mut vec![root.clone()])?;
    Ok(content)
}

struct Walk<'a> {
    root: &'a Path,
    content: &'a mut Content,
}

impl Walk<'_> {
    /// Adds the content of the directory `real`, the last of `above`. None of these paths contains a link.
    fn directory(&mut self, real: &Path, path: &str, above: &mut Vec<PathBuf>) -> Result<()> {
        let entries = fs::read_dir(real).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let mut entries = entries.map_err(|error| unreadable(real, error))?;
        // The order is fixed, so that the same content results in the same manifest.
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        if entries.is_empty() && real != self.root {
            self.content.directories.push(path.to_owned());
        }
        for entry in entries {
            let real = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                return Err(unstaged(&real, "its name is not UTF-8"));
            };
            let kind = entry.file_type().map_err(|error| unreadable(&real, error))?;
            self.entry(real, format!("{path}/{name}"), kind, above)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        mut real: PathBuf,
        path: String,
        mut kind: FileType,
        above: &mut Vec<PathBuf>,
    ) -> Result<()> {
        if kind.is_symlink() {
            (real, kind) = self.follow(&real, above)?;
        }
        if kind.is_file() {
            self.content.files.push((path, real));
        } else if kind.is_dir() {
            above.push(real.clone());
            self.directory(&real, &path, above)?;
            above.pop();
        } else {
            return Err(unstaged(&real, "it is neither a file nor a directory"));
        }
        Ok(())
    }

    /// Returns the path and the type of the target of `link`.
    fn follow(&self, link: &Path, above: &[PathBuf]) -> Result<(PathBuf, FileType)> {
        let target = link.canonicalize().map_err(|error| {
            unstaged(link, "it is a symbolic link that leads nowhere").because(error)
        })?;
        if !target.starts_with(self.root) {
            let problem = format!(
                "it is a symbolic link that leads out of the directory, to {}",
                target.display()
            );
            return Err(unstaged(link, &problem).hint("replace the link by a copy"));
        }
        if above.contains(&target) {
            return Err(unstaged(link, "it is a symbolic link that leads back above itself"));
        }
        let kind = target.metadata().map_err(|error| unreadable(&target, error))?.file_type();
        Ok((target, kind))
    }
}

fn unstaged(path: &Path, problem: &str) -> Error {
    Error::input(format!("{} cannot be staged: {problem}", path.display()))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::input(format!("cannot read {}", path.display())).because(error)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    /// Creates a directory with `a`, `sub/b` and the empty directory `sub/none`.
    fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("sub/none")).unwrap();
        fs::write(directory.path().join("a"), "one").unwrap();
        fs::write(directory.path().join("sub/b"), "two").unwrap();
        directory
    }

    fn paths(content: &Content) -> Vec<&str> {
        content.files.iter().map(|(path, _)| path.as_str()).collect()
    }

    fn problem(directory: &Path) -> String {
        content(directory, "/data").unwrap_err().to_string()
    }

    #[test]
    fn files_and_empty_directories_are_listed_in_order() {
        let directory = directory();
        let found = content(directory.path(), "/data").unwrap();
        assert_eq!(paths(&found), ["/data/a", "/data/sub/b"]);
        assert_eq!(found.directories, ["/data", "/data/sub/none"]);
        assert_eq!(fs::read_to_string(&found.files[1].1).unwrap(), "two");
    }

    #[test]
    fn empty_directory_is_listed() {
        let directory = tempfile::tempdir().unwrap();
        let found = content(directory.path(), "/data").unwrap();
        assert_eq!(found, Content { files: Vec::new(), directories: vec!["/data".into()] });
    }

    #[test]
    fn links_inside_the_directory_are_followed() {
        let directory = directory();
        symlink("sub", directory.path().join("dir-link")).unwrap();
        symlink("../a", directory.path().join("sub/link")).unwrap();
        let around = tempfile::tempdir().unwrap();
        symlink(directory.path(), around.path().join("source")).unwrap();
        let found = content(&around.path().join("source"), "/d").unwrap();
        let expected = ["/d/a", "/d/dir-link/b", "/d/dir-link/link", "/d/sub/b", "/d/sub/link"];
        assert_eq!(paths(&found), expected);
        assert_eq!(found.directories, ["/d", "/d/dir-link/none", "/d/sub/none"]);
        assert_eq!(fs::read_to_string(&found.files[2].1).unwrap(), "one");
    }

    #[test]
    fn links_out_of_the_directory_are_rejected() {
        for (target, end) in [
            ("/etc/passwd", "leads out of the directory, to /etc/passwd"),
            ("..", "leads out of the directory, to"),
            ("missing", "leads nowhere"),
            ("self", "leads nowhere"),
            (".", "leads back above itself"),
            ("sub/up", "leads back above itself"),
        ] {
            let directory = directory();
            symlink("..", directory.path().join("sub/up")).unwrap();
            if !target.starts_with("sub") {
                fs::remove_file(directory.path().join("sub/up")).unwrap();
            }
            symlink(target, directory.path().join("self")).unwrap();
            let problem = problem(directory.path());
            let start = format!("{}/self cannot be staged", directory.path().display());
            assert!(problem.starts_with(&start) && problem.contains(end), "{problem}");
        }
    }

    #[test]
    fn error_names_the_path_that_cannot_be_staged() {
        let names = directory();
        fs::write(names.path().join(OsStr::from_bytes(b"caf\xe9")), "").unwrap();
        assert!(problem(names.path()).ends_with("its name is not UTF-8"));

        let sockets = directory();
        let _socket = std::os::unix::net::UnixListener::bind(sockets.path().join("it")).unwrap();
        assert!(
            problem(sockets.path())
                .ends_with("/it cannot be staged: it is neither a file nor a directory")
        );

        let file = content(&names.path().join("a"), "/data").unwrap_err();
        assert!(file.report().contains("a is no directory\nHint: stage a single file"), "{file:?}");
        let missing = names.path().join("missing");
        assert_eq!(problem(&missing), format!("cannot read {}", missing.display()));
    }
}
