//! The files that a component is built from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hype::stage::Digest;

/// Directories that tools write to, which are no sources.
const SKIPPED: [&str; 3] = ["__pycache__", "node_modules", "target"];

/// The files that a component is built from, with their contents as of one moment.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// The paths, in the order of the list; those of a directory sorted.
    files: Vec<PathBuf>,
    digest: Digest,
}

impl Inputs {
    /// Reads files and directories, which are relative to `root`. Hidden files in a directory, and the directories of
    /// [`SKIPPED`], are left out.
    ///
    /// # Errors
    ///
    /// If one doesn't exist or can't be read.
    pub(crate) fn read(root: &Path, list: &[PathBuf]) -> io::Result<Self> {
        let mut files = Vec::new();
        for input in list {
            collect(&root.join(input), &mut files)?;
        }
        let mut digests = Vec::new();
        for file in &files {
            let relative = file.strip_prefix(root).unwrap_or(file);
            let digest = Digest::of(&fs::read(file).map_err(|error| at(file, error))?);
            digests.extend(format!("{relative:?} {digest}\n").into_bytes());
        }
        Ok(Self { files, digest: Digest::of(&digests) })
    }

    /// Returns the paths of the files.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns the digest of the names and contents.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }
}

/// Appends the file `path`, or the files in the directory `path`.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::metadata(path).map_err(|error| at(path, error))?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(|error| at(path, error))?;
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let is_link_to_directory = entry.file_type()?.is_symlink() && entry.path().is_dir();
        let is_skipped = name.to_string_lossy().starts_with('.')
            || SKIPPED.iter().any(|skipped| name == *skipped);
        // A link could lead back here.
        if !is_skipped && !is_link_to_directory {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_changes_with_names_and_contents_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("wit/deps")).unwrap();
        fs::create_dir_all(path("wit/__pycache__")).unwrap();
        fs::write(path("wit/a.wit"), "a").unwrap();
        fs::write(path("app.py"), "app").unwrap();
        let list = [PathBuf::from("app.py"), PathBuf::from("wit")];
        let read = || Inputs::read(root.path(), &list).unwrap();
        let first = read();
        assert_eq!(first.files(), [path("app.py"), path("wit/a.wit")]);
        fs::write(path("wit/__pycache__/a.pyc"), "x").unwrap();
        fs::write(path("wit/.hidden"), "x").unwrap();
        assert_eq!(read().digest(), first.digest());
        fs::write(path("wit/a.wit"), "b").unwrap();
        let second = read();
        assert_ne!(second.digest(), first.digest());
        fs::rename(path("wit/a.wit"), path("wit/deps/a.wit")).unwrap();
        assert_ne!(read().digest(), second.digest());
    }

    #[test]
    fn missing_input_is_an_error_with_its_path() {
        let root = tempfile::tempdir().unwrap();
        let error = Inputs::read(root.path(), &["app.py".into()]).unwrap_err().to_string();
        assert!(error.contains("app.py"), "{error}");
    }
}
