//! Checks of what options, variables and `hype.toml` choose.

use std::sync::Arc;

use futures::Stream;

use super::{Check, Reporter, check_submitter, reporter, stage};
use crate::configuration::{Configuration, install_command, is_enabled};
use crate::error::{Error, Result};
use crate::program::chosen;
use crate::run::lease;
use crate::run::submitter::Submitter;

const CONFIGURATION: &str = "configuration";
const FEATURES: &str = "features";
const RUNNER: &str = "runner";
const RUN: &str = "run";

/// Checks the submitter that options of `cargo hype`, variables or `hype.toml` choose, and runs a function that does
/// nothing. Yields each check when it is done.
///
/// ```no_run
/// use futures::StreamExt;
/// use hype::doctor::CheckState;
///
/// # async fn example() {
/// let checks: Vec<_> = hype::doctor::check().collect().await;
/// let has_failed = checks.iter().any(|check| check.state == CheckState::Failed);
/// println!("{}", if has_failed { "something is missing" } else { "ready" });
/// # }
/// ```
pub fn check() -> impl Stream<Item = Check> + Send + Unpin {
    reporter::stream(check_configuration)
}

async fn check_configuration(mut reporter: Reporter) {
    let read = Configuration::here();
    let Some(chosen) = reporter.result(CONFIGURATION, read, describe) else {
        return skip(&reporter, &[FEATURES, stage::OPEN, RUNNER, RUN], CONFIGURATION);
    };
    reporter.explain_by(Arc::new(chosen.clone()));
    let enabled = enabled(chosen.features(), is_enabled);
    if reporter.result(FEATURES, enabled, describe_features).is_none() {
        return skip(&reporter, &[stage::OPEN, RUNNER, RUN], FEATURES);
    }
    let stage = match chosen::stage(&chosen) {
        Ok(stage) => Some(stage),
        Err(error) => {
            stage::unopened(&reporter, &error);
            None
        }
    };
    let runner = match chosen::runner(&chosen) {
        Ok(runner) => runner,
        Err(error) => {
            reporter.failed(RUNNER, &error);
            return reporter.skipped(RUN, RUNNER);
        }
    };
    match stage {
        None => {
            runner.check(&reporter).await;
            reporter.skipped(RUN, stage::OPEN);
        }
        Some(stage) => match Submitter::with_boxed_runner(stage, runner, lease::TERM) {
            Ok(submitter) => {
                check_submitter(&submitter, &reporter).await;
                if let Err(error) = submitter.close().await {
                    reporter.failed("cleanup", &error);
                }
            }
            Err(error) => reporter.failed(RUNNER, &error),
        },
    }
}

fn skip(reporter: &Reporter, names: &[&str], missing: &str) {
    names.iter().for_each(|name| reporter.skipped(name, missing));
}

/// Describes the file that applies, and each setting with its origin.
fn describe(chosen: &Configuration) -> String {
    let file = match (&chosen.file, &chosen.profile) {
        (None, _) => "no hype.toml applies".to_owned(),
        (Some(path), None) => format!("{} applies", path.display()),
        (Some(path), Some(profile)) => {
            format!("{} applies, with the profile {profile}", path.display())
        }
    };
    std::iter::once(file).chain(chosen.describe()).collect::<Vec<_>>().join("; ")
}

/// Returns the `needed` features, unless one of them is not enabled.
fn enabled(
    needed: Vec<&'static str>,
    is_enabled: impl Fn(&str) -> bool,
) -> Result<Vec<&'static str>> {
    let missing: Vec<_> = needed.iter().copied().filter(|feature| !is_enabled(feature)).collect();
    if missing.is_empty() {
        return Ok(needed);
    }
    let problem =
        format!("this program is built without the features of hype: {}", missing.join(","));
    Err(Error::input(problem).hint(format!(
        "{}; `cargo hype run` enables them in your programs by itself",
        install_command(&missing)
    )))
}

fn describe_features(features: &Vec<&str>) -> String {
    if features.is_empty() {
        return "none beyond the default ones is needed".to_owned();
    }
    format!("{} enabled", features.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_feature_is_an_error_that_names_the_fix() {
        let has_docker = |feature: &str| feature == "docker";
        assert_eq!(enabled(vec!["docker"], has_docker).unwrap(), ["docker"]);
        let error = enabled(vec!["docker", "gcs"], has_docker).unwrap_err().report();
        assert!(error.contains("built without the features of hype: gcs"), "{error}");
        assert!(error.contains("gcs; `cargo hype run` enables"), "{error}");
    }
}
