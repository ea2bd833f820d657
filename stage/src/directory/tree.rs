//! A directory tree that is opened component by component and never through a symbolic link.
//!
//! Each component of an object's path is opened relative to the folder before it. So no read, write, listing or removal
//! leaves the tree, even if an attacker adds a link at the same time. `openat2` could resolve a path in one call, but
//! container engines that are older than it reject it; a path in a stage has at most five components.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Stat};

use super::folder::{Folder, create_temporary, file_type};

/// The maximum depth of a listing. Paths of a stage are at most five components long.
const MAX_DEPTH: usize = 8;

/// The maximum number of times that a write creates its directories again after concurrent removals.
const MAX_RACES: usize = 100;

/// A directory and everything below it.
#[derive(Debug)]
pub(super) struct Tree {
    root: Folder,
}

/// A file of the tree that a listing found, with its path as components.
pub(super) struct Found {
    pub(super) parts: Vec<String>,
    pub(super) stat: Stat,
}

/// A new file under a temporary name, which is removed unless the file is published.
#[derive(Debug)]
pub(super) struct Unpublished {
    pub(super) file: File,
    parent: Folder,
    temporary: String,
    name: String,
    is_published: bool,
}

impl Tree {
    /// Opens the tree below `root`, whose own path may contain links.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { root: Folder::open_root(root)? })
    }

    /// Returns whether there is a regular file of this name in the root.
    pub(super) fn has(&self, name: &str) -> bool {
        self.root.has_file(name)
    }

    /// Opens a regular file for reading.
    pub(super) fn read(&self, parts: &[&str]) -> io::Result<File> {
        let (name, parents) = split(parts)?;
        self.directory(parents)?.open_file(name)
    }

    /// Creates a new file under a temporary name beside its own, and the directories above it.
    pub(super) fn create(&self, parts: &[&str]) -> io::Result<Unpublished> {
        let (name, parents) = split(parts)?;
        let mut races = 0;
        loop {
            let created = self.create_directory(parents).and_then(|at| create_in(at, name));
            match created {
                Err(error) if error.kind() == ErrorKind::NotFound && races < MAX_RACES => {
                    races += 1
                }
                created => return created,
            }
        }
    }

    /// Removes a file, and the directories above it that become empty, except for those at the top of the tree.
    pub(super) fn remove(&self, parts: &[&str]) -> io::Result<()> {
        let (name, parents) = split(parts)?;
        self.directory(parents)?.remove_file(name)?;
        for depth in (2..=parents.len()).rev() {
            let (name, above) = split(&parents[..depth])?;
            let is_removed = self
                .directory(above)
                .is_ok_and(|above| above.remove_empty(name).is_ok_and(|is_gone| is_gone));
            if !is_removed {
                break;
            }
        }
        Ok(())
    }

    /// Calls `found` with each regular file below a directory until it returns `false`. Skips links, names that are
    /// not UTF-8, and everything else. Finds nothing where there is no such directory.
    pub(super) fn list(
        &self,
        parts: &[&str],
        found: &mut impl FnMut(Found) -> bool,
    ) -> io::Result<()> {
        match self.directory(parts) {
            Ok(directory) => {
                let mut path = parts.iter().map(|&part| part.to_owned()).collect();
                list(&directory, &mut path, found).map(drop)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn directory(&self, parts: &[&str]) -> io::Result<Folder> {
        parts.iter().try_fold(self.root.try_clone()?, |folder, part| folder.open(part))
    }

    fn create_directory(&self, parts: &[&str]) -> io::Result<Folder> {
        parts.iter().try_fold(self.root.try_clone()?, |folder, part| folder.open_or_create(part))
    }
}

impl Unpublished {
    /// Moves the file to its own name, in place of a file that has it.
    pub(super) fn replace(mut self) -> io::Result<()> {
        self.parent.rename(&self.temporary, &self.name)?;
        self.is_published = true;
        Ok(())
    }

    /// Gives the file its own name unless a file has it.
    pub(super) fn publish_new(self) -> io::Result<()> {
        self.parent.link(&self.temporary, &self.name)
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        if !self.is_published {
            // The file may have been removed by a garbage collection.
            let _ = self.parent.remove_file(&self.temporary);
        }
    }
}

/// Returns whether `name` is that of a file that is still being written.
pub(super) fn is_temporary(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, suffix)| {
        !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn create_in(parent: Folder, name: &str) -> io::Result<Unpublished> {
    let (temporary, file) = create_temporary(name, |temporary| parent.create_file(temporary))?;
    Ok(Unpublished { file, parent, temporary, name: name.to_owned(), is_published: false })
}

fn split<'a, 'b>(parts: &'b [&'a str]) -> io::Result<(&'a str, &'b [&'a str])> {
    let (name, parents) = parts.split_last().ok_or(ErrorKind::InvalidInput)?;
    Ok((name, parents))
}

/// Lists the files below `folder`, which is at `path`. A folder that can't be read is an error that names it: a garbage
/// collection that skipped it would take the blobs of its runs for unused.
fn list(
    folder: &Folder,
    path: &mut Vec<String>,
    found: &mut impl FnMut(Found) -> bool,
) -> io::Result<bool> {
    let at = |error: io::Error, path: &[String]| {
        io::Error::new(error.kind(), format!("{}: {error}", path.join("/")))
    };
    for name in folder.names().map_err(|error| at(error, path))? {
        // Files may be removed meanwhile.
        let Some(stat) = folder.stat(&name)? else { continue };
        path.push(name.clone());
        let goes_on = match file_type(&stat) {
            FileType::RegularFile => found(Found { parts: path.clone(), stat }),
            FileType::Directory if path.len() < MAX_DEPTH => match folder.find(&name) {
                Ok(Some(below)) => list(&below, path, found)?,
                Ok(None) => true,
                Err(error) => return Err(at(error, path)),
            },
            _ => true,
        };
        path.pop();
        if !goes_on {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns whether `name` can be one component of a path below the tree.
pub(super) fn is_component(name: &str) -> bool {
    let name = OsStr::new(name).as_bytes();
    !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/') && !name.contains(&0)
}
