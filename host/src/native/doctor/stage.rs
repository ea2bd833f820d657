//! Checks of the stage: each kind of request that runs and their collection send.

use std::time::{Duration, SystemTime};

use hype_stage::{Created, Stage, StageError};
use hype_wire::names;

use super::Reporter;
use crate::error::{Error, Result};
use crate::names::new_run_id;

/// The difference between the clocks of this machine and the store from which on it is reported. Providers reject
/// signed requests that are 15 minutes old, and tokens of clusters last longer.
const MAX_SKEW: Duration = Duration::from_secs(5 * 60);

/// The maximum size of an object of a check.
const MAX_SIZE: u64 = 1024;

/// The checks that need a written object.
const OF_WRITTEN: [&str; 5] =
    ["stage: read", "stage: create", "stage: list", "stage: clock", "stage: delete"];

/// The check of the first written object.
const WRITE: &str = "stage: write";

/// Checks `stage` with objects of a run of its own, which a collection would remove if this program were killed. `now`
/// is the clock of this machine.
pub(super) async fn check(stage: &Stage, now: impl Fn() -> SystemTime, reporter: &Reporter) {
    let run_id = new_run_id();
    let (first, second) = (names::arguments(&run_id), names::outcome(&run_id));
    let text = run_id.to_string();
    let written = stage.put(&first, text.clone().into()).await.map_err(Error::from);
    let began = now();
    if reporter.result(WRITE, written, |()| stage.url().to_owned()).is_none() {
        OF_WRITTEN.iter().for_each(|name| reporter.skipped(name, WRITE));
        return;
    }
    let read = read(stage, &first, &text).await;
    reporter.result(OF_WRITTEN[0], read, |()| "reads what was written".to_owned());
    let created = create(stage, &second, &text).await;
    reporter.result(OF_WRITTEN[1], created, |()| "creates an object only once".to_owned());
    let listed = list(stage, &run_id, &first).await;
    reporter.result(OF_WRITTEN[2], listed, |()| "lists what was written".to_owned());
    match stage.modified(&first).await {
        Ok(Some(time)) => {
            let skew = skew(began, time);
            reporter.result(OF_WRITTEN[3], skew, |skew| format!("differs by {}s", skew.as_secs()));
        }
        Ok(None) => reporter.failed(OF_WRITTEN[3], &lost(stage, &first)),
        Err(error) => reporter.failed(OF_WRITTEN[3], &error.into()),
    }
    let deleted = delete(stage, &[first, second]).await;
    reporter.result(OF_WRITTEN[4], deleted, |()| "removes what was written".to_owned());
}

async fn read(stage: &Stage, name: &str, text: &str) -> Result<()> {
    match stage.get(name, MAX_SIZE).await? {
        found if found == text => Ok(()),
        _ => {
            Err(Error::stage("the store returns other bytes than were written", stage.url_of(name)))
        }
    }
}

/// Creates an object, and tries to create it again with other bytes, which must not replace it.
async fn create(stage: &Stage, name: &str, text: &str) -> Result<()> {
    stage.create(name, text.to_owned().into()).await?;
    match stage.create(name, "another".into()).await? {
        Created::Existing => Ok(()),
        Created::New => Err(Error::stage(
            "the store replaces an object that a request may only create",
            stage.url_of(name),
        )
        .hint("use a store with conditional writes (If-None-Match), without which two attempts could end one run")),
    }
}

async fn list(stage: &Stage, run_id: &str, name: &str) -> Result<()> {
    let names = stage.list_run(run_id).await?;
    if names.iter().any(|found| found == name) { Ok(()) } else { Err(lost(stage, name)) }
}

async fn delete(stage: &Stage, names: &[String]) -> Result<()> {
    let url = stage.url_of(&names[0]);
    let remaining = |error: StageError| {
        Error::from(error).append_hint(format!("a collection removes {url} later: cargo hype gc"))
    };
    stage.remove(names).await.map_err(remaining)?;
    if stage.has(&names[0]).await? {
        return Err(Error::stage("the store keeps a removed object", url));
    }
    Ok(())
}

fn lost(stage: &Stage, name: &str) -> Error {
    Error::stage("the store has lost an object that was written", stage.url_of(name))
}

/// Returns the difference between the clocks, if it is harmless.
fn skew(here: SystemTime, store: SystemTime) -> Result<Duration> {
    let skew = here.duration_since(store).unwrap_or_else(|error| error.duration());
    if skew < MAX_SKEW {
        return Ok(skew);
    }
    let direction = if here > store { "ahead of" } else { "behind" };
    Err(Error::stage(
        "the clocks of this machine and of the store differ",
        format!("this machine's is {}s {direction} the store's", skew.as_secs()),
    )
    .hint("set the clock of this machine, e.g. by timedatectl set-ntp true"))
}

/// The check that opens the stage.
pub(super) const OPEN: &str = "stage";

/// Reports that the stage can't be opened.
pub(super) fn unopened(reporter: &Reporter, error: &Error) {
    reporter.failed(OPEN, error);
    std::iter::once(WRITE).chain(OF_WRITTEN).for_each(|name| reporter.skipped(name, OPEN));
}
