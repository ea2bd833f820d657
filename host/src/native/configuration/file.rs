//! The `hype.toml` that applies to a program: the nearest one above its working directory that other users of the
//! machine can't change.

use std::path::{Path, PathBuf};

use hype_stage::Distrust;

use crate::error::{Error, Result};

const NAME: &str = "hype.toml";

/// The variable that names a file in any directory and of any owner.
const VARIABLE: &str = "HYPE_CONFIG";

/// Returns the file that applies to a program started in `directory`, if there is one.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when another user could have written the nearest one.
pub(super) fn find(directory: &Path) -> Result<Option<PathBuf>> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        return Ok(Some(named.into()));
    }
    find_above(directory)
}

fn find_above(directory: &Path) -> Result<Option<PathBuf>> {
    let candidates = directory.ancestors().map(|ancestor| (ancestor, ancestor.join(NAME)));
    let mut existing = candidates.filter(|(_, path)| path.is_file());
    let Some((directory, path)) = existing.next() else { return Ok(None) };
    for checked in [path.as_path(), directory] {
        let metadata = std::fs::metadata(checked).map_err(|error| unusable(&path, error))?;
        if let Some(distrust) = Distrust::of(&metadata) {
            return Err(distrusted(&path, checked, distrust));
        }
    }
    Ok(Some(path))
}

/// Returns the error of a chosen profile when no file applies.
pub(super) fn missing(profile: &str) -> Error {
    Error::input(format!("there is no {NAME}, and the profile `{profile}` is chosen")).hint(
        format!(
            "create {NAME} with [profile.{profile}] here or above, or name a file: {VARIABLE}=FILE"
        ),
    )
}

/// Returns the error of a file that can't be read or parsed.
pub(super) fn unusable(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::input(format!("cannot use {}", path.display())).because(source)
}

fn distrusted(path: &Path, checked: &Path, distrust: Distrust) -> Error {
    let (path, checked) = (path.display(), checked.display());
    Error::input(format!(
        "cannot use {path}, which decides where runs are staged: {checked} {distrust}"
    ))
    .hint(format!(
        "if it is yours, run `chmod go-w {checked}` or `chown $USER {checked}`; if you trust \
             it as it is, name it: {VARIABLE}={path}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_file_applies() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(find_above(&inner).unwrap(), None);
        for directory in [root.path(), &root.path().join("a")] {
            std::fs::write(directory.join(NAME), "").unwrap();
            assert_eq!(find_above(&inner).unwrap(), Some(directory.join(NAME)));
        }
    }

    #[cfg(unix)]
    #[test]
    fn file_that_another_user_could_write_is_rejected() {
        use std::fs::Permissions;
        use std::os::unix::fs::PermissionsExt;

        let root = tempfile::tempdir().unwrap();
        let (inner, file) = (root.path().join("a"), root.path().join(NAME));
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(&file, "staging = 'file:///theirs'").unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        for (path, mode, safe) in [(root.path(), 0o1777, 0o755), (&file, 0o666, 0o644)] {
            set(path, mode);
            let report = find_above(&inner).unwrap_err().report();
            assert!(report.contains("may be written to by every user"), "{report}");
            assert!(report.contains("HYPE_CONFIG="), "{report}");
            set(path, safe);
        }
        assert_eq!(find_above(&inner).unwrap(), Some(file));
    }
}
