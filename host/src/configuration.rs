//! Which submitter a user chose from outside the program: variables, then `hype.toml`, then local.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::submitter::Submitter;

const FILE: &str = "hype.toml";

/// What may be chosen, in a file or by variables.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Which runner: `local`. Variable `HYPE_SUBMITTER`.
    submitter: Option<String>,
    /// The stage's URL. Variable `HYPE_STAGING`.
    staging: Option<String>,
}

impl Configuration {
    /// The choice that holds for a program started here, now.
    pub(crate) fn here() -> Result<Self> {
        let directory = std::env::current_dir().unwrap_or_default();
        let file = match find(&directory) {
            Some(path) => Self::read(&path)?,
            None => Self::default(),
        };
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Ok(file.overridden(variable("HYPE_SUBMITTER"), variable("HYPE_STAGING")))
    }

    fn read(path: &Path) -> Result<Self> {
        let malformed = |source: Box<dyn std::error::Error + Send + Sync>| {
            Error::input(format!("cannot use {}", path.display()))
                .because(source)
                .hint("it may hold `submitter = \"local\"` and `staging = \"file:///directory\"`")
        };
        let text = std::fs::read_to_string(path).map_err(|error| malformed(error.into()))?;
        toml::from_str(&text).map_err(|error| malformed(error.into()))
    }

    fn overridden(self, submitter: Option<String>, staging: Option<String>) -> Self {
        Self { submitter: submitter.or(self.submitter), staging: staging.or(self.staging) }
    }

    /// The submitter that was chosen.
    pub(crate) fn submitter(&self) -> Result<Submitter> {
        match self.submitter.as_deref() {
            #[cfg(feature = "local")]
            None | Some("local") => match &self.staging {
                Some(staging) => Submitter::local_with(staging),
                None => Submitter::local(),
            },
            #[cfg(not(feature = "local"))]
            None => Err(Error::input("no submitter was chosen")
                .hint("set one with hype::set_default, or enable the feature `local` of hype")),
            Some(other) => Err(Error::input(format!(
                "there is no submitter `{other}` in this program"
            ))
            .hint(if cfg!(feature = "local") {
                "it has: local; set HYPE_SUBMITTER or `submitter` in hype.toml to it"
            } else {
                "it has none; enable the feature `local` of hype"
            })),
        }
    }
}

fn find(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().map(|ancestor| ancestor.join(FILE)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(submitter: Option<&str>, staging: Option<&str>) -> Configuration {
        Configuration {
            submitter: submitter.map(str::to_owned),
            staging: staging.map(str::to_owned),
        }
    }

    #[test]
    fn variables_come_before_the_file() {
        let file = configuration(Some("local"), Some("file:///file"));
        let chosen = file.overridden(None, Some("file:///variable".into()));
        assert_eq!(chosen, configuration(Some("local"), Some("file:///variable")));
    }

    #[test]
    fn the_nearest_file_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(root.path().join(FILE), "staging = 'file:///s'").unwrap();
        let read = Configuration::read(&find(&inner).unwrap()).unwrap();
        assert_eq!(read, configuration(None, Some("file:///s")));
    }

    #[test]
    fn an_unknown_submitter_or_key_says_what_there_is() {
        let error = configuration(Some("abacus"), None).submitter().unwrap_err();
        assert!(error.to_string().contains("`abacus`"), "{error}");
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(FILE);
        std::fs::write(&path, "stagin = 'file:///s'").unwrap();
        let report = Configuration::read(&path).unwrap_err().report();
        assert!(report.contains("stagin") && report.contains("Hint: it may hold"), "{report}");
    }
}
