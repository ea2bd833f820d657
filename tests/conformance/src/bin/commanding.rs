//! Runs a command in this process, for a test of machines where that can't be.

use conformance::commands::{granting, order};
use hype::Submitter;
use test_guests::process::perform;

#[hype::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let stage = tempfile::tempdir()?;
    let submitter = Submitter::local_with(&format!("file://{}", stage.path().display()))?;
    submitter.submit(perform(order(&["uname"])), &granting(&["uname"])).await?;
    Ok(())
}
