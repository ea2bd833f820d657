//! Creation of the submitter that variables or `hype.toml` choose.

use std::time::Duration;

use hype_stage::Stage;

#[cfg(not(feature = "local"))]
use crate::configuration::selection_hint;
use crate::configuration::{Configuration, Key, unknown};
#[cfg(not(feature = "local"))]
use crate::error::Error;
use crate::error::Result;
use crate::run::lease;
use crate::run::submitter::Submitter;
use crate::runner::Runner;
use crate::staging::local_stage;

/// Creates the chosen submitter. The default runs closures in this process.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when this program has no such submitter.
pub(crate) fn submitter() -> Result<Submitter> {
    submitter_of(&Configuration::here()?)
}

/// Creates the submitter that `chosen` configures. Errors name the file that configures it, if one does.
pub(crate) fn submitter_of(chosen: &Configuration) -> Result<Submitter> {
    match create(chosen) {
        Ok(submitter) => Ok(submitter.with_configuration(chosen.clone())),
        Err(error) => Err(chosen.explain(error)),
    }
}

fn create(chosen: &Configuration) -> Result<Submitter> {
    let runner = runner(chosen)?;
    Submitter::with_boxed_runner(stage(chosen)?, runner, lease::TERM)
}

/// Creates the chosen runner.
pub(crate) fn runner(chosen: &Configuration) -> Result<Box<dyn Runner>> {
    match chosen.get(Key::Submitter) {
        #[cfg(feature = "local")]
        None | Some("local") => Ok(Box::new(crate::runner::LocalRunner::new()?)),
        #[cfg(feature = "docker")]
        Some("docker") => Ok(Box::new(crate::runner::DockerRunner::new()?)),
        #[cfg(feature = "kubernetes")]
        Some("kubernetes") => Ok(Box::new(crate::runner::KubernetesRunner::new()?)),
        #[cfg(not(feature = "local"))]
        None => Err(Error::input("no submitter was chosen")
            .hint(format!("set one with hype::set_default, or name one: {}", selection_hint()))),
        Some(other) => Err(unknown(other)),
    }
}

/// Opens the chosen stage, by default a directory of this user.
pub(crate) fn stage(chosen: &Configuration) -> Result<Stage> {
    match (chosen.get(Key::Submitter), chosen.get(Key::Staging)) {
        (_, Some(staging)) => Ok(Stage::open_or_create(staging)?),
        #[cfg(feature = "kubernetes")]
        (Some("kubernetes"), None) => Err(crate::configuration::no_bucket()),
        (_, None) => Ok(Stage::in_directory(&local_stage::directory()?)?),
    }
}

/// Creates the chosen submitter with another term of leases, for tests of expired leases.
///
/// # Errors
///
/// The errors of [`Submitter::ambient`].
pub fn chosen_submitter_with_lease_term(lease_term: Duration) -> Result<Submitter> {
    let mut submitter = submitter()?;
    submitter.set_lease_term(lease_term)?;
    Ok(submitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_submitter_error_names_it() {
        let chosen = Configuration::of_values(&[(Key::Submitter, "abacus")]);
        let error = submitter_of(&chosen).unwrap_err();
        assert!(error.to_string().contains("`abacus`"), "{error}");
    }
}
