//! Programs whose exit is tested: `ended command`, `ended fetch URL`, `ended wait` or `ended unwrap`.

use conformance::cases::commands::{command, granting};
use hype::{RunEnvironment, Submitter, VolumeRequest};
use test_guests::ends::panic;
use test_guests::http::fetch;
use test_guests::process::perform;
use test_guests::surroundings::say_then_wait_for;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[hype::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("command") => run_command().await,
        Some("fetch") => fetch_url(arguments.next().unwrap_or_default()).await,
        Some("wait") => wait_on_a_volume().await,
        Some("unwrap") => unwrap_a_failure().await,
        other => Err(format!("there is no program {other:?}").into()),
    }
}

/// Panics with the report of a closure that panicked.
#[expect(clippy::unwrap_used, reason = "the test needs a program that unwraps a failure")]
async fn unwrap_a_failure() -> Result<()> {
    panic("no flour".into()).await.unwrap();
    Ok(())
}

/// Runs a command with the local runner, to test machines that don't support that.
async fn run_command() -> Result<()> {
    let stage = tempfile::tempdir()?;
    let submitter = Submitter::local_with(&format!("file://{}", stage.path().display()))?;
    submitter.submit(perform(command(&["uname"])), &granting(&["uname"])).await?;
    Ok(())
}

/// Fetches `url` in a closure that is granted only this URL.
async fn fetch_url(url: String) -> Result<()> {
    let hosts = url.trim_end_matches('/').to_owned();
    let env = RunEnvironment::new().allow_http_private(hosts);
    let (status, _, text) = fetch(url).in_env(&env).await?;
    eprintln!("got {status} {text}");
    Ok(())
}

/// Runs a closure that waits until the program is ended. Variables choose the submitter; the run uses a transient
/// volume.
async fn wait_on_a_volume() -> Result<()> {
    let volume = VolumeRequest::transient("local-disk", "1Gi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_only("/volume"));
    let closure = say_then_wait_for("waiting".into(), "/volume/never".into());
    closure.in_env(&env).await?;
    Ok(())
}
