//! Finds the key and the job of a staged map.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hype_stage::Stage;
use hype_wire::{Digest, MapHead, MapId, MapKey, RunKey, RunManifest, names};

use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::map::retry::{RetryOptions, has_effects};
use crate::map::staged::reader::{MapReader, Segment};
use crate::map::staged::surroundings;
use crate::progress::STEP;
use crate::run::key_store::KeyStore;
use crate::run::keys;
use crate::run::lease::{self, LeaseWatch};

/// The time between two reads of the lease of a map's owner.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A staged map that is open for an attachment.
pub(crate) struct OpenedMap {
    pub(crate) reader: MapReader,
    pub(crate) run_key: RunKey,
    pub(crate) manifest: Arc<RunManifest>,
    pub(crate) manifest_digest: Digest,
    /// The environment of its items, as far as this program needs it.
    pub(crate) env: RunEnvironment,
    pub(crate) retries: RetryOptions,
    /// The start of the map, in microseconds since 1970.
    pub(crate) started_unix_us: u64,
    /// True if the items of the map run in containers.
    pub(crate) in_containers: bool,
    /// Whether an item without a result may have run and must not run twice.
    pub(crate) loses_items: bool,
}

/// Opens the map `id`. Returns its first segment, too.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if there is no such map, or if this user has no key of it.
pub(crate) async fn open(
    stage: &Stage,
    id: &str,
    lease_term: Duration,
) -> Result<(OpenedMap, Segment)> {
    let (reader, run_key) = reader(stage, id).await?;
    let id = reader.id.clone();
    let first = first_segment(&reader).await?;
    let Some(head) = &first.segment.head else {
        return Err(Error::stage("the map cannot be used", "its first segment has no head"));
    };
    let name = names::manifest(&id);
    let bytes = stage.get_verified(&name, &head.manifest, RunManifest::MAX_SIZE).await?;
    let manifest = RunManifest::from_bytes(&bytes)?;
    let MapHead { manifest: manifest_digest, error_retries, max_memory, started_unix_us, .. } =
        *head;
    let in_containers = head.containers.is_some();
    let env = surroundings::env_of(&manifest.job, head);
    let has_effects = has_effects(&env);
    if has_effects {
        wait_for_owner(stage, &id, lease_term).await?;
        // Its owner may have read it to its end, and removed it.
        first_segment(&reader).await?;
    }
    let loses_items = has_effects && env.retries() == 0;
    let opened = OpenedMap {
        reader,
        run_key,
        manifest: Arc::new(manifest),
        manifest_digest,
        env,
        retries: RetryOptions { errors: error_retries, max_memory },
        started_unix_us,
        in_containers,
        loses_items,
    };
    Ok((opened, first))
}

/// Reads the first segment of a map.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if there is none.
pub(crate) async fn first_segment(reader: &MapReader) -> Result<Segment> {
    let MapReader { stage, id, .. } = reader;
    reader.segment(None).await?.ok_or_else(|| {
        Error::input(format!("there is no staged map {id} in {}", stage.url()))
            .hint("it was read to its end or cancelled, or its program ended before it was staged")
    })
}

/// Rejects the id of a run that has no staged map.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if `id` is that of another run.
pub(crate) async fn check_is_map(stage: &Stage, id: &str) -> Result<()> {
    if !names::is_run_id(id) || has_plan(stage, id).await? {
        return Ok(());
    }
    match stage.has(&names::manifest(id)).await? {
        false => Ok(()),
        true => Err(Error::input(format!("{id} is a run and no staged map"))
            .because("no items are staged under its id")
            .hint(format!(
                "cargo hype describe {id} has the times of a run; the first items of a new map are staged within a second"
            ))),
    }
}

/// Returns whether items are staged under the id `id`.
pub async fn has_plan(stage: &Stage, id: &str) -> Result<bool> {
    Ok(stage.has(&names::map_plan(id, 0)).await?)
}

/// Returns a reader of the map `id`, and the key of its run.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if `id` is no id, or if this user has no key of the map.
pub(crate) async fn reader(stage: &Stage, id: &str) -> Result<(MapReader, RunKey)> {
    let id: MapId = id.parse().map_err(|error: hype_wire::WireError| {
        Error::input(format!("`{id}` cannot be a map's name"))
            .because(error)
            .hint("Map::id returns it: hype-run- and ten letters and digits")
    })?;
    let Some(run_key) = find_key(id.clone()).await? else {
        return Err(Error::input(format!("this user has no key of the map {id}"))
            .because("its plan and its results cannot be verified without it")
            .hint(
                "attach as the user and on the machine that staged the map; a map that was read to its end or cancelled \
                 has no key any more",
            ));
    };
    let key = MapKey::of_run(&run_key);
    Ok((MapReader { stage: stage.clone(), id, key }, run_key))
}

/// Returns the key of the run that staged the map, if this process or this user has it.
async fn find_key(id: MapId) -> Result<Option<RunKey>> {
    let find = move || Ok(keys::find(&id).or_else(|| KeyStore::of_user().find(&id)));
    crate::blocking_task::blocking(find).await
}

/// Waits until no other program runs items of the map: until its owner has detached it or is gone.
async fn wait_for_owner(stage: &Stage, id: &MapId, lease_term: Duration) -> Result<()> {
    let mut watch = LeaseWatch::new(Instant::now(), lease_term);
    let mut is_reported = false;
    loop {
        let found = lease::find(stage, id).await?;
        let is_detached = found.as_ref().is_some_and(|lease| lease.detached);
        if watch.update(found.as_ref(), Instant::now()) || is_detached {
            return Ok(());
        }
        if !std::mem::replace(&mut is_reported, true) {
            tracing::info!(target: STEP, "waiting until the program of the map {id} is gone");
        }
        tokio::time::sleep(POLL_INTERVAL.min(lease_term / 3)).await;
    }
}
