//! The staged files of a job, fetched once and shared by all its calls.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt, stream};
use hype_wire::{Failure, FailureKind, File, GuestPath, Job, is_below};

use crate::blobs::Blobs;
use crate::fetch::object_failure;
use crate::scratch::Scratch;

/// The maximum number of staged files that are read concurrently. Each may use a descriptor.
const MAX_CONCURRENT_READS: usize = 64;

/// Directories of this machine with the staged files of a job. Guests can only read them. They are removed
/// when this is dropped. Files are never held in memory as a whole.
pub(crate) struct Layout {
    roots: Vec<Root>,
    /// Whether each call gets copies of the directories.
    copies_per_call: bool,
    /// The parent of the roots, if there are any.
    _scratch: Option<Scratch>,
}

/// A directory of this machine, `real`, that is mounted at `path` in the guest.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) path: String,
    pub(crate) real: PathBuf,
}

impl Layout {
    /// Fetches the files of `job` and creates its directories. If `copies_per_call`, each call gets copies:
    /// this protects the files from commands that run with all the rights of this process.
    ///
    /// # Errors
    ///
    /// When two files have conflicting paths, or a file cannot be fetched.
    pub(crate) async fn fetch(
        blobs: &Blobs<'_>,
        job: &Job,
        copies_per_call: bool,
    ) -> Result<Self, Failure> {
        let layout = Self { copies_per_call, ..Self::create_directories(job)? };
        let fetches: Vec<_> = job
            .files
            .iter()
            .map(|file| async { save(blobs, file, &layout.new_file_path(file)?).await })
            .collect();
        stream::iter(fetches).buffer_unordered(MAX_CONCURRENT_READS).try_collect::<()>().await?;
        Ok(layout)
    }

    /// Returns the layout whose directories another process has created and removes.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_roots(roots: Vec<Root>) -> Self {
        Self { roots, copies_per_call: false, _scratch: None }
    }

    /// Returns a layout of the same directories, which are removed with this one.
    #[cfg(target_os = "linux")]
    pub(crate) fn without_removal(&self) -> Self {
        let Self { roots, copies_per_call, .. } = self;
        Self { roots: roots.clone(), copies_per_call: *copies_per_call, _scratch: None }
    }

    /// Returns the shared directories.
    #[cfg(target_os = "linux")]
    pub(crate) fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// Creates the directories of `job`, and the outermost directories of its files.
    fn create_directories(job: &Job) -> Result<Self, Failure> {
        let files: Vec<&str> = job.files.iter().map(|file| file.path.as_str()).collect();
        let named: Vec<&str> = job.directories.iter().map(GuestPath::as_str).collect();
        let outermost = outermost_directories(&files, &named);
        if outermost.is_empty() {
            return Ok(Self { roots: Vec::new(), copies_per_call: false, _scratch: None });
        }
        let scratch = Scratch::new().map_err(|error| {
            sandbox_failure("cannot create a directory for staged files", &error)
        })?;
        let roots = outermost
            .into_iter()
            .enumerate()
            .map(|(index, path)| {
                let real = create_dir(&scratch, &format!("files-{index}"))?;
                Ok(Root { path: path.to_owned(), real })
            })
            .collect::<Result<_, Failure>>()?;
        let layout = Self { roots, copies_per_call: false, _scratch: Some(scratch) };
        for path in named {
            layout.real(path).map_or(Ok(()), fs::create_dir_all).map_err(|error| {
                sandbox_failure(&format!("cannot create the directory {path}"), &error)
            })?;
        }
        Ok(layout)
    }

    /// Returns the path on this machine for the new file `file`. Creates its parent directory.
    fn new_file_path(&self, file: &File) -> Result<PathBuf, Failure> {
        let failed =
            |error| sandbox_failure(&format!("cannot create the file {}", file.path), &error);
        let real = self.real(&file.path).ok_or(io::ErrorKind::NotFound.into()).map_err(failed)?;
        real.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        // Without this check the error would name a path of this machine, not of the guest.
        if real.symlink_metadata().is_ok() {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        Ok(real)
    }

    /// Returns the path on this machine of the guest's `path`, which is a root or below a root.
    fn real(&self, path: &str) -> Option<PathBuf> {
        let root = self.roots.iter().find(|root| is_below(path, &root.path))?;
        Some(root.real.join(path[root.path.len()..].trim_start_matches('/')))
    }

    /// Returns whether the job has neither files nor directories.
    pub(crate) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Returns the directories for one call: the shared ones, or copies in `scratch`.
    ///
    /// # Errors
    ///
    /// When the copies cannot be written.
    pub(crate) fn for_call(&self, scratch: &Scratch) -> Result<Cow<'_, [Root]>, Failure> {
        if !self.copies_per_call {
            return Ok(Cow::Borrowed(&self.roots));
        }
        let copied = self.roots.iter().enumerate().map(|(index, root)| {
            let real = scratch.path().join(format!("files-{index}"));
            copy_tree(&root.real, &real).map_err(|error| {
                let what = format!("cannot copy the files in {} for this call", root.path);
                sandbox_failure(&what, &error)
            })?;
            Ok(Root { path: root.path.clone(), real })
        });
        copied.collect::<Result<_, Failure>>().map(Cow::Owned)
    }
}

async fn save(blobs: &Blobs<'_>, file: &File, to: &Path) -> Result<(), Failure> {
    let saved = blobs.save(&file.blob, to).await;
    saved.map_err(|error| object_failure(&format!("file {}", file.path), &error))
}

/// Copies the directory `from`, which contains only directories and regular files, to the new directory
/// `to`.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let mut left = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = left.pop() {
        fs::create_dir(&to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let to = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                left.push((entry.path(), to));
            } else {
                fs::copy(entry.path(), to)?;
            }
        }
    }
    Ok(())
}

/// Creates the directory `name` in `scratch`.
pub(crate) fn create_dir(scratch: &Scratch, name: &str) -> Result<PathBuf, Failure> {
    let path = scratch.path().join(name);
    fs::create_dir(&path)
        .map_err(|error| sandbox_failure(&format!("cannot create {}", path.display()), &error))?;
    Ok(path)
}

/// Returns the directories of `files` and the `named` directories, without those that are below another
/// one.
fn outermost_directories<'a>(files: &[&'a str], named: &[&'a str]) -> Vec<&'a str> {
    let parents = files.iter().filter_map(|path| path.rsplit_once('/')).map(|(parent, _)| parent);
    let mut all: Vec<&str> = parents.chain(named.iter().copied()).collect();
    // A directory comes before all directories below it.
    all.sort_unstable_by_key(|path| path.len());
    let mut outermost: Vec<&str> = Vec::new();
    for path in all {
        if !outermost.iter().any(|other| is_below(path, other)) {
            outermost.push(path);
        }
    }
    outermost.sort_unstable();
    outermost
}

/// Returns the failure of a sandbox that cannot be created because of an error of this machine.
pub(crate) fn sandbox_failure(what: &str, error: &std::io::Error) -> Failure {
    Failure { causes: vec![error.to_string()], ..Failure::new(FailureKind::Infrastructure, what) }
}

#[cfg(test)]
mod tests {
    use super::outermost_directories;

    #[test]
    fn files_are_mounted_by_their_outermost_directories() {
        let paths = ["/data/b/two", "/data/one", "/database/x", "/etc/a/b"];
        assert_eq!(outermost_directories(&paths, &[]), ["/data", "/database", "/etc/a"]);
        assert_eq!(outermost_directories(&["/data/b/two", "/data/b/three"], &[]), ["/data/b"]);
        assert_eq!(outermost_directories(&["/top", "/data/one"], &[]), [""]);
    }

    #[test]
    fn named_directories_are_mounted_too() {
        let named = ["/data/a/empty", "/data/a", "/other"];
        assert_eq!(outermost_directories(&["/data/a/b/one"], &named), ["/data/a", "/other"]);
        assert_eq!(outermost_directories(&["/data/one"], &named), ["/data", "/other"]);
    }
}
