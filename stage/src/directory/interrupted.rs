//! Files of uploads that were interrupted, such as `blobs/DIGEST#1`: they are under temporary names, so that no listing
//! of objects contains them.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

use hype_wire::{ObjectName, names};

use super::folder::{Folder, NEW_FOLDER, modified};
use super::root::MARKER;
use super::tree::{Found, Tree, is_temporary};

/// A file of an interrupted upload, or a folder that its writer didn't name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterruptedUpload {
    /// The path below the directory of the stage.
    pub(crate) path: String,
    /// The size in bytes.
    pub(crate) size: u64,
}

/// The report of a collection of interrupted uploads.
#[derive(Debug, Default)]
pub(crate) struct CollectedUploads {
    pub(crate) removed: Vec<InterruptedUpload>,
    /// The number of files that are kept, since they may still be written.
    pub(crate) kept: usize,
    /// The files that could not be removed, by path.
    pub(crate) failures: Vec<(String, io::Error)>,
}

/// Finds the files of uploads to the stage at `root` whose last write was before `cutoff`. Removes them if `removes` is
/// true. Finds nothing in a directory that isn't marked as a stage.
pub(crate) fn collect_uploads(
    root: &Path,
    cutoff: SystemTime,
    removes: bool,
) -> io::Result<CollectedUploads> {
    let folder = Folder::open_root(root)?;
    let mut collected = CollectedUploads::default();
    if !folder.has_file(MARKER) {
        return Ok(collected);
    }
    let tree = Tree::open(root)?;
    let mut found = Vec::new();
    let mut add = |path: String, size: u64, modified: SystemTime| match modified < cutoff {
        true => found.push(InterruptedUpload { path, size }),
        false => collected.kept += 1,
    };
    for prefix in [names::BLOBS, names::RUNS, names::LIVE, names::MAPS] {
        tree.list(&[prefix], &mut |file: Found| {
            let path = file.parts.join("/");
            if is_interrupted(&path) {
                let size = u64::try_from(file.stat.st_size).unwrap_or_default();
                add(path, size, modified(&file.stat));
            }
            true
        })?;
    }
    // The clock is the only object in the root.
    for name in
        folder.names()?.into_iter().filter(|name| is_interrupted(name) || is_new_folder(name))
    {
        if let Some(modified) = folder.modified(&name)? {
            add(name, 0, modified);
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    for upload in found {
        let removed = if removes { remove(&folder, &tree, &upload.path) } else { Ok(()) };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                collected.failures.push((upload.path, error));
            }
            _ => collected.removed.push(upload),
        }
    }
    Ok(collected)
}

fn remove(root: &Folder, tree: &Tree, path: &str) -> io::Result<()> {
    if !is_new_folder(path) {
        return tree.remove(&path.split('/').collect::<Vec<_>>());
    }
    match root.remove_empty(path)? {
        true => Ok(()),
        false => Err(ErrorKind::DirectoryNotEmpty.into()),
    }
}

/// Returns whether a name in the root is that of a new folder, which its writer didn't move to its place.
fn is_new_folder(name: &str) -> bool {
    is_temporary(name) && name.rsplit_once('#').is_some_and(|(start, _)| start == NEW_FOLDER)
}

/// Returns whether `path` is the temporary name of an object that hype writes.
fn is_interrupted(path: &str) -> bool {
    let object = path.rsplit_once('#').map(|(object, _)| object);
    is_temporary(path) && object.is_some_and(|object| ObjectName::parse(object).is_some())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::Duration;

    use super::*;
    use crate::directory::mark;

    #[test]
    fn only_old_files_of_interrupted_uploads_are_collected() {
        let directory = tempfile::tempdir().unwrap();
        let (root, now) = (directory.path(), SystemTime::now());
        mark(root).unwrap();
        let blob = format!("blobs/{}", "b1".repeat(32));
        let write = |name: &str, age: u64| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = File::create(path).unwrap();
            file.set_modified(now - Duration::from_secs(age)).unwrap();
        };
        let old = [
            &format!("{blob}#7"),
            "clock#1",
            "live/run-1#2",
            "maps/run-1/out/3-14#4",
            "runs/run-1/manifest#3",
        ];
        old.iter().for_each(|name| write(name, 100));
        let kept = [&blob, "blobs/notes#1", "notes#1", "runs/run-1/manifest"];
        kept.iter().for_each(|name| write(name, 100));
        write(&format!("{blob}#8"), 1);
        let cutoff = now - Duration::from_secs(50);
        let paths = |removes: bool| {
            let collected = collect_uploads(root, cutoff, removes).unwrap();
            assert_eq!((collected.kept, collected.failures.len()), (1, 0));
            collected.removed.into_iter().map(|upload| upload.path).collect::<Vec<_>>()
        };
        assert_eq!(paths(false), old);
        assert_eq!(paths(true), old);
        assert_eq!(paths(true), [""; 0]);
        assert!(kept.iter().all(|name| root.join(name).exists()));
        assert!(root.join(format!("{blob}#8")).exists());
    }

    #[test]
    fn directory_that_is_no_stage_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("clock#1"), "").unwrap();
        let collected = collect_uploads(directory.path(), SystemTime::now(), true).unwrap();
        assert_eq!(collected.removed, []);
        assert!(directory.path().join("clock#1").exists());
    }

    #[test]
    fn folder_without_its_final_name_is_collected_if_it_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        mark(root).unwrap();
        for path in ["folder#1", "folder#2/x", "folder", "other#3"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        let later = SystemTime::now() + Duration::from_secs(60);
        let collected = collect_uploads(root, later, true).unwrap();
        let [removed] = &collected.removed[..] else { panic!("{collected:?}") };
        let [(failed, _)] = &collected.failures[..] else { panic!("{collected:?}") };
        assert_eq!((removed.path.as_str(), failed.as_str()), ("folder#1", "folder#2"));
        let exist = ["folder#1", "folder#2", "folder", "other#3"].map(|it| root.join(it).exists());
        assert_eq!(exist, [false, true, true, true]);
    }
}
