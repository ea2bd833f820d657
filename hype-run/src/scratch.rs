//! Directories of a guest, and how they are removed again.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory for one run, which goes when this is dropped, with all that the guest put there.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("hype-run-").tempdir().map(TempDir::keep)?))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.0) {
            tracing::warn!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Removes the directory `root`, into which a guest could write, with all that is in it.
///
/// Unlike [`std::fs::remove_dir_all`] it takes neither stack nor descriptors for each level: a guest
/// may have nested directories so deep that either would run out, and no path reaches the innermost.
/// So each directory is moved up to the outermost level before it is emptied.
///
/// # Errors
///
/// When something in it cannot be removed, or it isn't there.
pub fn remove_tree(root: &Path) -> std::io::Result<()> {
    let mut moved = 0_u64;
    let mut left = entries(root)?;
    while let Some(path) = left.pop() {
        if !path.symlink_metadata()?.is_dir() {
            fs::remove_file(path)?;
            continue;
        }
        for inner in entries(&path)? {
            if inner.symlink_metadata()?.is_dir() {
                let up = free_name(root, &mut moved);
                fs::rename(inner, &up)?;
                left.push(up);
            } else {
                fs::remove_file(inner)?;
            }
        }
        fs::remove_dir(path)?;
    }
    fs::remove_dir(root)
}

fn entries(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
}

/// A path in `root` that nothing has.
fn free_name(root: &Path, moved: &mut u64) -> PathBuf {
    loop {
        *moved += 1;
        let path = root.join(format!("removed-{moved}"));
        if path.symlink_metadata().is_err() {
            return path;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_goes_but_what_a_link_points_to() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "kept").unwrap();
        let scratch = Scratch::new().unwrap();
        let root = scratch.path().to_owned();
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::create_dir_all(root.join("removed-1/removed-2")).unwrap();
        fs::write(root.join("a/b/c/file"), "gone").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path(), root.join("a/b/link")).unwrap();
        drop(scratch);
        assert!(!root.exists());
        assert_eq!(fs::read_to_string(outside.path().join("kept")).unwrap(), "kept");
    }

    /// In a thread with little stack, as those of a runtime are.
    #[cfg(unix)]
    #[test]
    fn a_tree_deeper_than_any_path_goes_too() {
        let scratch = Scratch::new().unwrap();
        let root = scratch.path().to_owned();
        // From the innermost outwards, since no path reaches inwards.
        for level in 0..4_000 {
            let around = root.join(format!("{}", level % 2));
            fs::create_dir(&around).unwrap();
            if level > 0 {
                fs::rename(root.join(format!("{}", (level + 1) % 2)), around.join("in")).unwrap();
            }
        }
        let thread = std::thread::Builder::new().stack_size(128 << 10);
        thread.spawn(|| drop(scratch)).unwrap().join().unwrap();
        assert!(!root.exists());
    }
}
