//! The keys of `hype.toml`. Each has a variable and an option of `cargo hype`.

use crate::error::{Error, Result};

/// A key of `hype.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The runner: `local`, `docker` or `kubernetes`.
    Submitter,
    /// The stage's URL.
    Staging,
    /// The default container image.
    Image,
    /// The context of the kubeconfig.
    Context,
    /// The default namespace of Pods.
    Namespace,
    /// The default service account of Pods.
    ServiceAccount,
    /// The secret with the credentials of a stage in a bucket, for containers and Pods.
    StageSecret,
}

/// The table of the profiles in `hype.toml`.
pub(super) const PROFILES: &str = "profile";

impl Key {
    /// All keys, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Submitter,
        Self::Staging,
        Self::Image,
        Self::Context,
        Self::Namespace,
        Self::ServiceAccount,
        Self::StageSecret,
    ];

    /// Returns the name in `hype.toml`, which is also that of the option.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submitter => "submitter",
            Self::Staging => "staging",
            Self::Image => "image",
            Self::Context => "context",
            Self::Namespace => "namespace",
            Self::ServiceAccount => "service-account",
            Self::StageSecret => "stage-secret",
        }
    }

    /// Returns the name of the environment variable.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Submitter => "HYPE_SUBMITTER",
            Self::Staging => "HYPE_STAGING",
            Self::Image => "HYPE_IMAGE",
            Self::Context => "HYPE_CONTEXT",
            Self::Namespace => "HYPE_NAMESPACE",
            Self::ServiceAccount => "HYPE_SERVICE_ACCOUNT",
            Self::StageSecret => "HYPE_STAGE_SECRET",
        }
    }

    /// Returns the key called `name`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) for an unknown key; the hint names the nearest one.
    pub(super) fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|key| key.name() == name);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|key| key.name()).chain([PROFILES]).collect();
            Error::input(format!("unknown key `{name}`")).hint(suggestion(
                name,
                &names,
                "the keys are",
            ))
        })
    }
}

/// Returns a hint for the unknown `name`: the nearest one of `names`, and all of them after `label`.
pub(super) fn suggestion(name: &str, names: &[&str], label: &str) -> String {
    let all = format!("{label} {}", names.join(", "));
    match nearest(name, names) {
        Some(nearest) => format!("did you mean `{nearest}`? {all}"),
        None => all,
    }
}

/// Returns the most similar one of `names`, if any is similar.
fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    /// The least similarity by Jaro, from 0 to 1. clap uses 0.7.
    const LEAST: f64 = 0.7;
    let name = name.to_lowercase();
    let similar = names.iter().copied().filter(|known| strsim::jaro(&name, known) > LEAST);
    // Jaro alone prefers long names: `stage-secret` to `staging` for `stage`.
    let similarity = |known: &str| {
        strsim::jaro(&name, known) + strsim::normalized_damerau_levenshtein(&name, known)
    };
    similar.max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_key_error_names_the_nearest_key() {
        for (written, nearest) in [
            ("stagin", "staging"),
            ("stage", "staging"),
            ("stage_secret", "stage-secret"),
            ("serviceAccount", "service-account"),
            ("Submiter", "submitter"),
            ("name-space", "namespace"),
            ("profiles", "profile"),
        ] {
            let report = Key::parse(written).unwrap_err().report();
            assert!(report.starts_with(&format!("unknown key `{written}`")), "{report}");
            assert!(report.contains(&format!("did you mean `{nearest}`?")), "{report}");
        }
        let report = Key::parse("q").unwrap_err().report();
        assert!(!report.contains("did you mean"), "{report}");
        assert!(report.ends_with("namespace, service-account, stage-secret, profile"), "{report}");
    }

    /// The page is the only list of the keys for users.
    #[test]
    fn configuration_page_documents_every_key() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let page = std::fs::read_to_string(root).unwrap();
        for key in Key::ALL {
            let (name, variable) = (key.name(), key.variable());
            let row = format!("| `{name}` | `{variable}` | `--{name}` |");
            assert!(page.contains(&row), "docs/configuration.md lacks the row {row}");
        }
    }
}
