//! Secrets as directories of this machine.

use std::path::PathBuf;

use crate::error::{Error, Result};

/// A directory with one subdirectory for each secret.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    directory: Option<PathBuf>,
    /// The call that sets another directory, for hints.
    directory_hint: String,
}

impl Secrets {
    /// Returns `hype/secrets` in the user's configuration directory, if that exists.
    pub(crate) fn of_user(directory_hint: impl Into<String>) -> Self {
        let directory = dirs::config_dir().map(|directory| directory.join("hype").join("secrets"));
        Self { directory, directory_hint: directory_hint.into() }
    }

    /// Replaces the directory of secrets.
    pub(crate) fn set_directory(&mut self, directory: PathBuf) {
        self.directory = Some(directory);
    }

    /// Returns the directory of the secret `name`, which is to be mounted at `path`.
    pub(crate) fn directory(&self, name: &str, path: &str) -> Result<PathBuf> {
        let directory = self.directory.as_ref().map(|secrets| secrets.join(name));
        match directory {
            Some(directory) if is_directory_name(name) && directory.is_dir() => Ok(directory),
            directory => Err(Error::input(format!("there is no secret `{name}` for {path}")).hint(
                match directory {
                    Some(directory) => {
                        format!("put its files into the directory {}", directory.display())
                    }
                    None => format!("name a directory: {}", self.directory_hint),
                },
            )),
        }
    }
}

/// Returns whether `name` is the name of a single directory, so that it can't leave the directory of secrets.
fn is_directory_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_found_in_the_directory_with_its_name() {
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
