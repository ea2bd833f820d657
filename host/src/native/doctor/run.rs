//! The check that a function runs: it does nothing, and needs nothing but the runner, its image and the stage.

use std::time::Duration;

use tracing::subscriber::NoSubscriber;

use super::Reporter;
use crate::call::component::Component;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::names::unique_name;
use crate::run::submitter::Submitter;

/// The name of the check.
const NAME: &str = "run";

/// The time that the function may take once it runs, and the time to wait for a node.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A component that exports `spotify:hype/closure`, whose function returns nil. `nothing.wat` is its source.
const NOTHING: &[u8] = include_bytes!("nothing.wasm");

/// Runs the function, unless a check before it failed, and removes everything that its run staged.
pub(super) async fn check(submitter: &Submitter, reporter: &Reporter) {
    if let Some(missing) = reporter.first_failed() {
        return reporter.skipped(NAME, &missing);
    }
    let location = submitter.location().to_owned();
    reporter.result(NAME, run(submitter).await, |()| {
        format!("a function ran {location}, and read and wrote the stage there")
    });
}

async fn run(submitter: &Submitter) -> Result<()> {
    let component = unique_component()?;
    let closure = component.function(NAME)?.bind::<()>(());
    let env = environment();
    // Its progress would be printed between the checks.
    let run =
        tracing::subscriber::with_default(NoSubscriber::new(), || submitter.spawn(closure, &env));
    let result = run.wait().await;
    let removed = remove_blobs(submitter, &component).await;
    result.map_err(explain)?;
    removed
}

fn environment() -> RunEnvironment {
    let env = RunEnvironment::new().with_timeout(TIMEOUT);
    #[cfg(feature = "kubernetes")]
    let env = env.with_queue_timeout(TIMEOUT);
    env
}

/// Returns the component with a section of its own, so that its blobs are those of no other run.
fn unique_component() -> Result<Component> {
    const CUSTOM_SECTION: u8 = 0;
    let name = unique_name("hype-doctor");
    let length = |bytes: usize| u8::try_from(bytes).unwrap_or_default();
    let section = [&[CUSTOM_SECTION, length(name.len() + 1), length(name.len())], name.as_bytes()];
    Component::new("nothing.wasm", [NOTHING, &section.concat()].concat())
}

/// Removes the component and its machine code from the stage and from this machine.
async fn remove_blobs(submitter: &Submitter, component: &Component) -> Result<()> {
    #[cfg(feature = "local")]
    let code = crate::staging::artefact::remove(component).await?;
    #[cfg(not(feature = "local"))]
    let code = Vec::<hype_wire::Digest>::new();
    let blobs: Vec<_> = std::iter::once(component.digest()).chain(code).collect();
    let names: Vec<_> = blobs.iter().map(hype_wire::names::blob).collect();
    Ok(submitter.stage().remove(&names).await?)
}

/// Adds a hint to the error of the function, which can't fail by itself.
fn explain(error: Error) -> Error {
    match error.is_incompatible() {
        true => error.append_hint(format!(
            "use an image with hype-run of version {}",
            env!("CARGO_PKG_VERSION")
        )),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE=1` writes the component after a change of its source.
    #[test]
    fn component_is_compiled_from_its_source() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/native/doctor");
        let compiled = wat::parse_file(format!("{directory}/nothing.wat")).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(format!("{directory}/nothing.wasm"), &compiled).unwrap();
        } else {
            assert_eq!(compiled, NOTHING);
        }
    }

    #[test]
    fn incompatible_image_is_replaced_by_one_of_this_version() {
        use crate::error::{Failure, FailureKind};

        let report = |kind| {
            let failure = Failure::new(kind, "the run manifest has format 3, not 2");
            explain(Error::failed(NAME, failure)).report()
        };
        let expected =
            format!("use an image with hype-run of version {}", env!("CARGO_PKG_VERSION"));
        assert!(report(FailureKind::Incompatible).contains(&expected));
        assert!(!report(FailureKind::Deadline).contains(&expected));
    }

    #[test]
    fn components_of_two_checks_differ() {
        let (one, other) = (unique_component().unwrap(), unique_component().unwrap());
        assert_ne!(one.digest(), other.digest());
        assert_eq!(one.exports(), ["spotify:hype/closure@0.1.0"]);
    }
}
