//! Secrets as directories of this machine, where no cluster keeps them.

use std::path::{Path, PathBuf};

use hype_wire::{Access, Mount};

use crate::error::{Error, Result};

/// A directory that holds one directory for each secret.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    directory: Option<PathBuf>,
    /// How to name another one, for a person.
    way_out: String,
}

impl Secrets {
    /// `hype/secrets` of the user's configuration, or none where the user has no such directory.
    pub(crate) fn of_user(way_out: impl Into<String>) -> Self {
        let directory = dirs::config_dir().map(|directory| directory.join("hype").join("secrets"));
        Self { directory, way_out: way_out.into() }
    }

    /// The same below `directory`.
    pub(crate) fn set_directory(&mut self, directory: PathBuf) {
        self.directory = Some(directory);
    }

    /// The directory of the secret `name`, which is wanted at `path`.
    pub(crate) fn directory(&self, name: &str, path: &str) -> Result<PathBuf> {
        let directory = self.directory.as_ref().map(|secrets| secrets.join(name));
        match directory {
            Some(directory) if is_name(name) && directory.is_dir() => Ok(directory),
            directory => Err(Error::input(format!("there is no secret `{name}` for {path}")).hint(
                match directory {
                    Some(directory) => {
                        format!("put its files into the directory {}", directory.display())
                    }
                    None => format!("name a directory: {}", self.way_out),
                },
            )),
        }
    }
}

/// A mount of `directory` at `path`, the directory being there.
pub(crate) fn shown(directory: &Path, path: &str, access: Access) -> Result<Mount> {
    let source = directory.canonicalize().map_err(|error| {
        Error::input(format!("cannot mount {} at {path}", directory.display())).because(error)
    })?;
    let source = source
        .to_str()
        .ok_or_else(|| Error::input(format!("the path {} is not UTF-8", source.display())))?;
    Ok(Mount { source: source.to_owned(), path: path.to_owned(), access })
}

/// Whether `name` is one directory's, and no way out of the directory of all.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_directory_of_its_name() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("gcp-key")).unwrap();
        let mut secrets = Secrets::of_user("with_secrets(..)");
        secrets.set_directory(root.path().to_owned());
        assert_eq!(secrets.directory("gcp-key", "/etc").unwrap(), root.path().join("gcp-key"));
        for name in ["", ".", "..", "gcp-key/..", "other"] {
            let error = secrets.directory(name, "/etc/gcloud").unwrap_err();
            assert!(error.to_string().starts_with("there is no secret `"), "{error:?}");
            assert!(error.report().contains("Hint: put its files into"), "{error:?}");
        }
    }
}
