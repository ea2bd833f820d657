//! The submitter that the user configured outside the program: by options of `cargo hype`, by variables, or in
//! `hype.toml`. The default is local.

mod file;
mod key;
mod origin;
mod parse;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use hype_stage::Provider;

pub use self::key::Key;
use self::origin::Origin;
use crate::error::{Error, Result};
use crate::runner::namespace::Namespace;

/// The variable that chooses a profile of `hype.toml`.
const PROFILE_VARIABLE: &str = "HYPE_PROFILE";

/// The choices of this program's command line.
static OPTIONS: OnceLock<Options> = OnceLock::new();

/// The profile and the settings that a command line chose.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The profile of `hype.toml`.
    pub profile: Option<String>,
    /// The chosen values.
    pub values: BTreeMap<Key, String>,
}

/// The namespaces that the command line of this program chose.
static NAMESPACES: OnceLock<Vec<Namespace>> = OnceLock::new();

/// Makes Kubernetes runners of this program search these namespaces, too. Only the first call has an effect.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when a name can't be a namespace.
pub fn choose_namespaces(namespaces: &[String]) -> Result<()> {
    let namespaces = namespaces.iter().map(|name| Namespace::parse(name));
    let namespaces = namespaces.collect::<Result<Vec<_>>>()?;
    NAMESPACES.get_or_init(|| namespaces);
    Ok(())
}

/// Returns the namespaces that the command line of this program chose.
#[cfg(feature = "kubernetes")]
pub(crate) fn chosen_namespaces() -> &'static [Namespace] {
    NAMESPACES.get().map(Vec::as_slice).unwrap_or_default()
}

impl Options {
    /// Makes these the choices of this program. Only the first call has an effect.
    pub fn apply(self) {
        OPTIONS.get_or_init(|| self);
    }

    /// Returns the variables with which another program makes the same choices.
    pub fn variables(&self) -> Vec<(&'static str, &str)> {
        let profile = self.profile.as_deref().map(|profile| (PROFILE_VARIABLE, profile));
        let values = self.values.iter().map(|(key, value)| (key.variable(), value.as_str()));
        profile.into_iter().chain(values).collect()
    }

    /// Returns the features of hype that a program needs for the submitter and the stage that these options, variables
    /// or `hype.toml` choose.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when `hype.toml` can't be read.
    pub fn features(&self) -> Result<Vec<&'static str>> {
        Ok(Configuration::of(self)?.features())
    }
}

/// Adds to the hint of `error` which file sets the values that cause it, if a file does.
pub fn explain(error: Error) -> Error {
    match Configuration::here() {
        Ok(configuration) => configuration.explain(error),
        // The error is about the file itself.
        Err(_) => error,
    }
}

/// The settings that apply to this program.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Configuration {
    settings: BTreeMap<Key, Setting>,
    /// The file that applies.
    pub(crate) file: Option<PathBuf>,
    /// The chosen profile of the file.
    pub(crate) profile: Option<String>,
}

/// A configured value.
#[derive(Debug, Clone, PartialEq)]
struct Setting {
    value: String,
    origin: Origin,
}

/// The submitters whose features this program enables.
const SUBMITTERS: &[&str] = &[
    #[cfg(feature = "local")]
    "local",
    #[cfg(feature = "docker")]
    "docker",
    #[cfg(feature = "kubernetes")]
    "kubernetes",
];

/// The submitters whose features this program doesn't enable. Each has the name of its feature.
const DISABLED_SUBMITTERS: &[&str] = &[
    #[cfg(not(feature = "local"))]
    "local",
    #[cfg(not(feature = "docker"))]
    "docker",
    #[cfg(not(feature = "kubernetes"))]
    "kubernetes",
];

impl Configuration {
    /// Reads the settings for this program, which was started in the current directory.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when `hype.toml` can't be read.
    pub(crate) fn here() -> Result<Self> {
        Self::of(OPTIONS.get().unwrap_or(&Options::default()))
    }

    fn of(options: &Options) -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let directory = std::env::current_dir().unwrap_or_default();
        Self::combine(options, variable, file::find(&directory)?)
    }

    /// Combines the sources of settings. Options come first, then variables, then the profile in the file, then the top
    /// of the file.
    fn combine(
        options: &Options,
        variable: impl Fn(&str) -> Option<String>,
        file: Option<PathBuf>,
    ) -> Result<Self> {
        let profile = options.profile.clone().or_else(|| variable(PROFILE_VARIABLE));
        let mut settings = BTreeMap::new();
        match (&file, &profile) {
            (Some(path), profile) => {
                for (key, (value, profile)) in parse::read(path, profile.as_deref())? {
                    let origin = Origin::File { path: path.clone(), profile };
                    settings.insert(key, Setting { value, origin });
                }
            }
            (None, Some(profile)) => return Err(file::missing(profile)),
            (None, None) => {}
        }
        for key in Key::ALL {
            let option = options.values.get(&key).map(|value| (value.clone(), Origin::Option(key)));
            let variable = || Some((variable(key.variable())?, Origin::Variable(key)));
            if let Some((value, origin)) = option.or_else(variable) {
                settings.insert(key, Setting { value, origin });
            }
        }
        Ok(Self { settings, file, profile })
    }

    /// Returns a configuration by options, for tests.
    #[cfg(test)]
    pub(crate) fn of_values(values: &[(Key, &str)]) -> Self {
        let values = values.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let options = Options { profile: None, values };
        Self::combine(&options, |_| None, None).unwrap_or_default()
    }

    /// Returns the value of `key`, if it is configured.
    pub(crate) fn get(&self, key: Key) -> Option<&str> {
        self.settings.get(&key).map(|setting| setting.value.as_str())
    }

    /// Describes each setting and its origin, e.g. "`staging` is from the variable HYPE_STAGING".
    pub(crate) fn describe(&self) -> Vec<String> {
        let all = self.settings.iter();
        all.map(|(key, Setting { value, origin })| format!("{} {value} from {origin}", key.name()))
            .collect()
    }

    /// Adds to the hint of `error` which file sets the values that cause it, if a file does.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let of_file = self.settings.iter().filter(|(key, setting)| {
            matches!(setting.origin, Origin::File { .. }) && error.concerns(**key, &setting.value)
        });
        let hints: Vec<_> = of_file
            .map(|(key, Setting { value, origin })| {
                format!("`{} = \"{value}\"` is in {origin}", key.name())
            })
            .collect();
        match hints.as_slice() {
            [] => error,
            hints => error.append_hint(hints.join(", ")).explained(),
        }
    }

    /// Returns the stage's URL for Pods, for which there is no default.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn bucket(&self) -> Result<String> {
        self.get(Key::Staging).map(str::to_owned).ok_or_else(no_bucket)
    }

    /// Returns the features that these settings need and that aren't enabled by default.
    pub(crate) fn features(&self) -> Vec<&'static str> {
        let runner = match self.get(Key::Submitter) {
            Some("docker") => Some("docker"),
            Some("kubernetes") => Some("kubernetes"),
            _ => None,
        };
        let provider = self.get(Key::Staging).and_then(Provider::of).map(Provider::feature);
        runner.into_iter().chain(provider).collect()
    }
}

/// Returns the error of Pods without a configured stage.
#[cfg(feature = "kubernetes")]
pub(crate) fn no_bucket() -> Error {
    Error::input("no stage is configured that the Pods of a cluster can reach")
        .hint("name a bucket: HYPE_STAGING=gs://bucket/prefix, or `staging` in hype.toml")
        .concerning(Key::Submitter)
}

/// The features that this program enables and that aren't enabled by default.
const ENABLED_FEATURES: &[&str] = &[
    #[cfg(feature = "docker")]
    "docker",
    #[cfg(feature = "kubernetes")]
    "kubernetes",
    #[cfg(feature = "gcs")]
    "gcs",
    #[cfg(feature = "aws")]
    "aws",
    #[cfg(feature = "azure")]
    "azure",
];

/// Returns whether this program has the feature of hype called `feature`, one of [`Configuration::features`].
pub(crate) fn is_enabled(feature: &str) -> bool {
    ENABLED_FEATURES.contains(&feature)
}

/// Returns the command that installs `cargo hype` with the `missing` features, and with those that this program has.
pub(crate) fn install_command(missing: &[&str]) -> String {
    install_command_with(ENABLED_FEATURES, missing)
}

fn install_command_with(enabled: &[&str], missing: &[&str]) -> String {
    let features = [enabled, missing].concat().join(",");
    format!("cargo install cargo-hype --features {features}")
}

/// Returns the error of a submitter that this program doesn't have.
pub(crate) fn unknown(name: &str) -> Error {
    let error = Error::input(format!("there is no submitter `{name}` in this program"))
        .concerning(Key::Submitter);
    if DISABLED_SUBMITTERS.contains(&name) {
        let install = install_command(&[name]);
        return error.hint(format!(
            "enable the feature `{name}` of hype; for cargo hype itself: {install}"
        ));
    }
    error.hint(selection_hint())
}

/// Returns a hint that lists the submitters of this program and the settings that select one.
pub(crate) fn selection_hint() -> String {
    if SUBMITTERS.is_empty() {
        return "it has none: enable the feature `local`, `docker` or `kubernetes` of hype"
            .to_owned();
    }
    let submitters = SUBMITTERS.join(", ");
    format!("it has: {submitters}; set HYPE_SUBMITTER or `submitter` in hype.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(values: &[(Key, &str)]) -> Options {
        let values = values.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Options { profile: None, values }
    }

    #[test]
    fn options_override_variables_and_variables_override_the_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("hype.toml");
        let text = "submitter = 'top'\nstaging = 'top'\nimage = 'top'\ncontext = 'top'\n\
            [profile.prod]\nsubmitter = 'profile'\nstaging = 'profile'\nimage = 'profile'";
        std::fs::write(&path, text).unwrap();
        let variable = |name: &str| match name {
            "HYPE_PROFILE" => Some("prod".to_owned()),
            "HYPE_SUBMITTER" | "HYPE_STAGING" => Some("variable".to_owned()),
            _ => None,
        };
        let options = options(&[(Key::Submitter, "option")]);
        let chosen = Configuration::combine(&options, variable, Some(path.clone())).unwrap();
        let file = path.display();
        assert_eq!(
            chosen.describe(),
            [
                "submitter option from the option --submitter".to_owned(),
                "staging variable from the variable HYPE_STAGING".to_owned(),
                format!("image profile from {file}, profile prod"),
                format!("context top from {file}"),
            ]
        );
    }

    #[test]
    fn error_caused_by_a_configured_value_names_the_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("hype.toml");
        let text = "submitter = 'docker'\nimage = 'a/b:1'\n[profile.prod]\nstaging = 'gs://b/x'";
        std::fs::write(&path, text).unwrap();
        let options = Options { profile: Some("prod".into()), ..Default::default() };
        let chosen = Configuration::combine(&options, |_| None, Some(path.clone())).unwrap();
        let explained = |error: Error| {
            // A copy is explained, too, and no error twice.
            let copy = chosen.explain(chosen.explain(error.duplicate())).report();
            let report = chosen.explain(error).report();
            assert_eq!(copy, report);
            report.split_once("Hint: ").map(|(_, hint)| hint.to_owned())
        };
        let file = path.display();
        let stage = Error::stage("the stage failed", "not allowed to write gs://b/x/blobs/1");
        assert_eq!(
            explained(stage),
            Some(format!("`staging = \"gs://b/x\"` is in {file}, profile prod"))
        );
        let daemon = Error::runner("cannot reach the Docker daemon", "refused").hint("start it");
        assert_eq!(
            explained(daemon.concerning(Key::Submitter)),
            Some(format!("start it; `submitter = \"docker\"` is in {file}"))
        );
        let image = |name| Error::runner("cannot pull", name).concerning_value(Key::Image, name);
        assert_eq!(explained(image("a/b:1")), Some(format!("`image = \"a/b:1\"` is in {file}")));
        let wrapped = Error::input("cannot start").because(image("a/b:1"));
        assert_eq!(explained(wrapped), Some(format!("`image = \"a/b:1\"` is in {file}")));
        // The program chose this one.
        assert_eq!(explained(image("c/d:2")), None);
    }

    #[test]
    fn error_with_the_words_of_a_configured_value_names_no_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("hype.toml");
        std::fs::write(&path, "submitter = 'local'\nstaging = 'file:///s'\nimage = 'a'").unwrap();
        let chosen = Configuration::combine(&Options::default(), |_| None, Some(path)).unwrap();
        for error in [
            Error::input("there is no file local/a"),
            Error::runner("a local thread of hype panicked", "a"),
            Error::lost("file:///s", "local"),
        ] {
            let report = error.report();
            assert_eq!(chosen.explain(error).report(), report);
        }
    }

    #[test]
    fn install_command_keeps_the_features_of_this_program() {
        assert_eq!(
            install_command_with(&["docker", "gcs"], &["kubernetes"]),
            "cargo install cargo-hype --features docker,gcs,kubernetes"
        );
    }

    #[test]
    fn option_chooses_another_profile_than_the_variable() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("hype.toml");
        std::fs::write(&path, "[profile.a]\nimage = 'a'\n[profile.b]\nimage = 'b'").unwrap();
        let variable = |name: &str| (name == "HYPE_PROFILE").then(|| "a".to_owned());
        let of = |profile: Option<&str>| {
            let options =
                Options { profile: profile.map(str::to_owned), values: BTreeMap::default() };
            Configuration::combine(&options, variable, Some(path.clone())).unwrap()
        };
        assert_eq!(of(None).get(Key::Image), Some("a"));
        assert_eq!(of(Some("b")).get(Key::Image), Some("b"));
    }

    #[test]
    fn profile_without_file_is_rejected() {
        let options = Options { profile: Some("prod".into()), ..Default::default() };
        let report = Configuration::combine(&options, |_| None, None).unwrap_err().report();
        assert!(report.contains("`prod`") && report.contains("[profile.prod]"), "{report}");
    }

    #[test]
    fn submitter_and_stage_determine_the_features() {
        let features = |submitter: &str, staging: &str| {
            Configuration::of_values(&[(Key::Submitter, submitter), (Key::Staging, staging)])
                .features()
        };
        assert_eq!(Configuration::of_values(&[]).features(), [] as [&str; 0]);
        assert_eq!(features("local", "file:///stage"), [] as [&str; 0]);
        assert_eq!(features("kubernetes", "gs://bucket"), ["kubernetes", "gcs"]);
        assert_eq!(features("docker", "abfss://c@a.dfs"), ["docker", "azure"]);
        assert_eq!(features("local", "s3://bucket/prefix"), ["aws"]);
    }

    #[test]
    fn options_become_variables() {
        let mut options = options(&[(Key::Context, "gke")]);
        options.profile = Some("prod".into());
        assert_eq!(options.variables(), [("HYPE_PROFILE", "prod"), ("HYPE_CONTEXT", "gke")]);
    }
}
