//! The submitter that variables and `hype.toml` choose.

use std::time::Duration;

#[cfg(not(feature = "local"))]
use crate::configuration::ways_to_name_one;
use crate::configuration::{Configuration, unknown};
#[cfg(not(feature = "local"))]
use crate::error::Error;
use crate::error::Result;
use crate::run::submitter::Submitter;

/// Returns the submitter that was chosen; without a choice, that of this process.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when this program has no such submitter.
pub(crate) fn submitter() -> Result<Submitter> {
    submitter_of(&Configuration::here()?)
}

fn submitter_of(chosen: &Configuration) -> Result<Submitter> {
    match chosen.submitter.as_deref() {
        #[cfg(feature = "local")]
        None | Some("local") => match &chosen.staging {
            Some(staging) => Submitter::local_with(staging),
            None => Submitter::local(),
        },
        #[cfg(feature = "docker")]
        Some("docker") => match &chosen.staging {
            Some(staging) => Submitter::docker_with(staging),
            None => Submitter::docker(),
        },
        #[cfg(feature = "kubernetes")]
        Some("kubernetes") => Submitter::kubernetes_with(&chosen.bucket()?),
        #[cfg(not(feature = "local"))]
        None => Err(Error::input("no submitter was chosen")
            .hint(format!("set one with hype::set_default, or name one: {}", ways_to_name_one()))),
        Some(other) => Err(unknown(other)),
    }
}

/// Returns the chosen submitter with another term of leases, for tests of what happens when one runs out.
///
/// # Errors
///
/// As [`Submitter::ambient`].
pub fn chosen_submitter_with_lease_term(lease_term: Duration) -> Result<Submitter> {
    let mut submitter = submitter()?;
    submitter.set_lease_term(lease_term)?;
    Ok(submitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_submitter_is_named() {
        let chosen = Configuration { submitter: Some("abacus".into()), ..Default::default() };
        let error = submitter_of(&chosen).unwrap_err();
        assert!(error.to_string().contains("`abacus`"), "{error}");
    }
}
