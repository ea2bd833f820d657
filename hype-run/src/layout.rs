//! The staged files of a job, laid out once and shared by all its calls.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt, stream};
use hype_wire::{Failure, FailureKind, File, Job, check_guest_path, is_below};

use crate::blobs::Blobs;
use crate::fetch::refused;
use crate::scratch::Scratch;

/// How many files are read at once: each may be an open file, of which there are few.
const AT_ONCE: usize = 64;

/// Directories of this machine in which staged files are where the guest sees them. Guests only read
/// them; they go when this is dropped. No file is ever in memory as a whole.
pub(crate) struct Layout {
    roots: Vec<Root>,
    /// Whether each call has copies of its own.
    is_copied: bool,
    /// There if there are any roots.
    _scratch: Option<Scratch>,
}

/// A directory that a guest sees at `path`, and which is `real` on this machine.
#[derive(Clone)]
pub(crate) struct Root {
    pub(crate) path: String,
    pub(crate) real: PathBuf,
}

impl Layout {
    /// Fetches the files that `job` names and makes its directories. If `is_copied`, each call gets copies of
    /// its own: that is for guests with commands that run with all the rights of this process.
    ///
    /// # Errors
    ///
    /// When a path is not one of a guest, files are in each other's way, or one cannot be fetched.
    pub(crate) async fn fetch(
        blobs: &Blobs<'_>,
        job: &Job,
        is_copied: bool,
    ) -> Result<Self, Failure> {
        let layout = Self { is_copied, ..Self::make(job)? };
        let saved: Vec<_> = job
            .files
            .iter()
            .map(|file| async { save(blobs, file, &layout.place(file)?).await })
            .collect();
        stream::iter(saved).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(layout)
    }

    /// Makes the directories, those that hold files included.
    fn make(job: &Job) -> Result<Self, Failure> {
        let files: Vec<&str> = job.files.iter().map(|file| file.path.as_str()).collect();
        let named: Vec<&str> = job.directories.iter().map(String::as_str).collect();
        for path in named.iter().chain(&files) {
            check(path)?;
        }
        let outermost = directories(&files, &named);
        if outermost.is_empty() {
            return Ok(Self { roots: Vec::new(), is_copied: false, _scratch: None });
        }
        let scratch = Scratch::new()
            .map_err(|error| unprepared("cannot make a directory for staged files", &error))?;
        let roots = outermost.into_iter().enumerate().map(|(index, path)| {
            let real = make(&scratch, &format!("files-{index}"))?;
            Ok(Root { path: path.to_owned(), real })
        });
        let roots = roots.collect::<Result<_, Failure>>()?;
        let layout = Self { roots, is_copied: false, _scratch: Some(scratch) };
        for path in named {
            layout.real(path).map_or(Ok(()), fs::create_dir_all).map_err(|error| {
                unprepared(&format!("cannot make the directory {path}"), &error)
            })?;
        }
        Ok(layout)
    }

    /// Returns the path for a new file, in a directory that is there.
    fn place(&self, file: &File) -> Result<PathBuf, Failure> {
        let cannot = |error| unprepared(&format!("cannot lay out the file {}", file.path), &error);
        let real = self.real(&file.path).ok_or(io::ErrorKind::NotFound.into()).map_err(cannot)?;
        real.parent().map_or(Ok(()), fs::create_dir_all).map_err(cannot)?;
        // The stage tells it too, in words that are about this machine's path.
        if real.symlink_metadata().is_ok() {
            return Err(cannot(io::ErrorKind::AlreadyExists.into()));
        }
        Ok(real)
    }

    /// Returns the path on this machine of the guest's `path`; each is, or lies below, a root.
    fn real(&self, path: &str) -> Option<PathBuf> {
        let root = self.roots.iter().find(|root| is_below(path, &root.path))?;
        Some(root.real.join(path[root.path.len()..].trim_start_matches('/')))
    }

    /// Returns whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Returns the directories for one call: those that all share, or copies in `scratch`.
    ///
    /// # Errors
    ///
    /// When there is no room for the copies.
    pub(crate) fn for_call(&self, scratch: &Scratch) -> Result<Cow<'_, [Root]>, Failure> {
        if !self.is_copied {
            return Ok(Cow::Borrowed(&self.roots));
        }
        let copied = self.roots.iter().enumerate().map(|(index, root)| {
            let real = scratch.path().join(format!("files-{index}"));
            copy_tree(&root.real, &real).map_err(|error| {
                let what = format!("cannot copy the files in {} for this call", root.path);
                unprepared(&what, &error)
            })?;
            Ok(Root { path: root.path.clone(), real })
        });
        copied.collect::<Result<_, Failure>>().map(Cow::Owned)
    }
}

async fn save(blobs: &Blobs<'_>, file: &File, to: &Path) -> Result<(), Failure> {
    let saved = blobs.save(&file.blob, to).await;
    saved.map_err(|error| refused(&format!("file {}", file.path), &error))
}

/// Copies the directory `from`, which holds only directories and files, to the new directory `to`.
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

/// Makes the directory `name` in `scratch`.
pub(crate) fn make(scratch: &Scratch, name: &str) -> Result<PathBuf, Failure> {
    let path = scratch.path().join(name);
    fs::create_dir(&path)
        .map_err(|error| unprepared(&format!("cannot make {}", path.display()), &error))?;
    Ok(path)
}

/// Returns the directories of the files at `paths` and those that are `named`, without those that lie below
/// another of them.
fn directories<'a>(paths: &[&'a str], named: &[&'a str]) -> Vec<&'a str> {
    let parents = paths.iter().filter_map(|path| path.rsplit_once('/')).map(|(parent, _)| parent);
    let mut all: Vec<&str> = parents.chain(named.iter().copied()).collect();
    // One that holds others comes before all of them.
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

/// Checks that `path` can be shown to a guest.
pub(crate) fn check(path: &str) -> Result<(), Failure> {
    check_guest_path(path).map_err(|problem| Failure::new(FailureKind::Incompatible, problem))
}

/// Returns the failure of a machine that cannot show a guest its files.
pub(crate) fn unprepared(what: &str, error: &std::io::Error) -> Failure {
    Failure { causes: vec![error.to_string()], ..Failure::new(FailureKind::Infrastructure, what) }
}

#[cfg(test)]
mod tests {
    use super::directories;

    #[test]
    fn files_are_shown_by_their_outermost_directories() {
        let paths = ["/data/b/two", "/data/one", "/database/x", "/etc/a/b"];
        assert_eq!(directories(&paths, &[]), ["/data", "/database", "/etc/a"]);
        assert_eq!(directories(&["/data/b/two", "/data/b/three"], &[]), ["/data/b"]);
        assert_eq!(directories(&["/top", "/data/one"], &[]), [""]);
    }

    #[test]
    fn directories_that_are_named_are_shown_too() {
        let named = ["/data/a/empty", "/data/a", "/other"];
        assert_eq!(directories(&["/data/a/b/one"], &named), ["/data/a", "/other"]);
        assert_eq!(directories(&["/data/one"], &named), ["/data", "/other"]);
    }
}
