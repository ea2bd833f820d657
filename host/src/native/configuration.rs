//! Which submitter a user chose from outside the program: variables, then `hype.toml`, then local.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hype_stage::Provider;
use serde::Deserialize;

use crate::error::{Error, Result};

const FILE: &str = "hype.toml";

/// The submitter that this program's own command line chose.
static CHOSEN: OnceLock<String> = OnceLock::new();

/// Makes `submitter` the one that is used where the program names none, whatever variables and files
/// say. The first choice stays.
pub fn choose_submitter(submitter: &str) {
    CHOSEN.get_or_init(|| submitter.to_owned());
}

/// The features of hype that a program needs for what is chosen here, now: by `submitter`, if that is
/// given, by variables and by `hype.toml`.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when `hype.toml` can't be read.
pub fn features_for(submitter: Option<&str>) -> Result<Vec<&'static str>> {
    let chosen = Configuration { submitter: submitter.map(str::to_owned), ..Default::default() };
    Ok(Configuration::here()?.overridden(chosen).features())
}

/// What may be chosen, in a file or by variables.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Which runner: `local`, `docker` or `kubernetes`. Variable `HYPE_SUBMITTER`.
    pub(crate) submitter: Option<String>,
    /// The stage's URL. Variable `HYPE_STAGING`.
    pub(crate) staging: Option<String>,
    /// The container image where nothing else names one. Variable `HYPE_IMAGE`.
    pub(crate) image: Option<String>,
}

/// The submitters that this program has.
const SUBMITTERS: &[&str] = &[
    #[cfg(feature = "local")]
    "local",
    #[cfg(feature = "docker")]
    "docker",
    #[cfg(feature = "kubernetes")]
    "kubernetes",
];

/// Those that another program may have, each with the feature of its name.
const OTHERS: &[&str] = &[
    #[cfg(not(feature = "local"))]
    "local",
    #[cfg(not(feature = "docker"))]
    "docker",
    #[cfg(not(feature = "kubernetes"))]
    "kubernetes",
];

impl Configuration {
    /// The choice that holds for a program started here, now.
    pub(crate) fn here() -> Result<Self> {
        let directory = std::env::current_dir().unwrap_or_default();
        let file = match find(&directory) {
            Some(path) => Self::read(&path)?,
            None => Self::default(),
        };
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let variables = Self {
            submitter: CHOSEN.get().cloned().or_else(|| variable("HYPE_SUBMITTER")),
            staging: variable("HYPE_STAGING"),
            image: variable("HYPE_IMAGE"),
        };
        Ok(file.overridden(variables))
    }

    fn read(path: &Path) -> Result<Self> {
        let malformed = |source: Box<dyn std::error::Error + Send + Sync>| {
            Error::input(format!("cannot use {}", path.display()))
                .because(source)
                .hint("it may hold `submitter = \"local\"`, `staging = \"file:///directory\"` and `image = \"name:tag\"`")
        };
        let text = std::fs::read_to_string(path).map_err(|error| malformed(error.into()))?;
        toml::from_str(&text).map_err(|error| malformed(error.into()))
    }

    fn overridden(self, other: Self) -> Self {
        Self {
            submitter: other.submitter.or(self.submitter),
            staging: other.staging.or(self.staging),
            image: other.image.or(self.image),
        }
    }

    /// The stage for Pods, which only a user can name.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn bucket(&self) -> Result<String> {
        self.staging.clone().ok_or_else(|| {
            Error::input("there is no stage that the Pods of a cluster could reach")
                .hint("name a bucket: HYPE_STAGING=gs://bucket/prefix, or `staging` in hype.toml")
        })
    }

    /// The features that this takes and that aren't there by default.
    fn features(&self) -> Vec<&'static str> {
        let runner = match self.submitter.as_deref() {
            Some("docker") => Some("docker"),
            Some("kubernetes") => Some("kubernetes"),
            _ => None,
        };
        let provider = self.staging.as_deref().and_then(Provider::of).map(Provider::feature);
        runner.into_iter().chain(provider).collect()
    }
}

pub(crate) fn unknown(name: &str) -> Error {
    let error = Error::input(format!("there is no submitter `{name}` in this program"));
    if OTHERS.contains(&name) {
        return error.hint(format!(
            "enable the feature `{name}` of hype; for cargo hype itself: cargo install cargo-hype \
             --features {name}"
        ));
    }
    error.hint(ways_to_name_one())
}

pub(crate) fn ways_to_name_one() -> String {
    match SUBMITTERS {
        [] => {
            "it has none: enable the feature `local`, `docker` or `kubernetes` of hype".to_owned()
        }
        some => {
            format!("it has: {}; set HYPE_SUBMITTER or `submitter` in hype.toml", some.join(", "))
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
            image: None,
        }
    }

    #[test]
    fn variables_come_before_the_file() {
        let file = configuration(Some("local"), Some("file:///file"));
        let chosen = file.overridden(configuration(None, Some("file:///variable")));
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
    fn what_is_chosen_takes_its_features_and_no_others() {
        let features = |submitter, staging| configuration(submitter, staging).features();
        assert_eq!(features(None, None), [] as [&str; 0]);
        assert_eq!(features(Some("local"), Some("file:///stage")), [] as [&str; 0]);
        assert_eq!(features(Some("kubernetes"), Some("gs://bucket")), ["kubernetes", "gcs"]);
        assert_eq!(features(Some("docker"), Some("abfss://c@a.dfs")), ["docker", "azure"]);
        assert_eq!(features(None, Some("s3://bucket/prefix")), ["aws"]);
    }

    #[test]
    fn unknown_key_is_named_with_those_that_are_known() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(FILE);
        std::fs::write(&path, "stagin = 'file:///s'").unwrap();
        let report = Configuration::read(&path).unwrap_err().report();
        assert!(report.contains("stagin") && report.contains("Hint: it may hold"), "{report}");
    }
}
