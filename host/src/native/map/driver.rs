//! The driver of a map whose runner takes items: stages the job, and lets the runner run the items.

mod attached;

use std::time::Duration;

use futures::future::BoxFuture;
use hype_wire::{MapContainers, MapHead, MapKey, codec};

use crate::blocking_task::blocking;
use crate::call::component::ComponentFunction;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::map::items::Items;
use crate::map::staged::open::OpenedMap;
use crate::map::staged::plan::Planner;
use crate::map::staged::stager::{Owner, Unstarted, Writer};
#[cfg(feature = "docker")]
use crate::map::staged::surroundings;
use crate::progress::STEP;
use crate::run::driver::{Dispatcher, PlannedRun, RunState, StagingRequest};
use crate::run::key_store::KeyStore;
use crate::run::status::Status;
use crate::runner::{Attempt, labels};
use crate::staging::RunArguments;

/// The time that the key of a staged map is kept at least, since the map may be in another stage than that whose leftovers
/// are collected: a year.
const KEY_USE: Duration = Duration::from_secs(365 * 24 * 3600);

/// The job of a map.
pub(crate) enum MapJob {
    /// The job of the first item's function, with the stager of a staged map.
    New(Box<ComponentFunction>, Option<Unstarted>),
    /// The job of a staged map.
    Staged(Box<OpenedMap>, Unstarted),
}

impl Dispatcher {
    /// Runs `items` until there are none. Everything that the map created is removed in the background when `run` is
    /// dropped.
    pub(crate) async fn drive_items(
        &self,
        run: &RunState,
        job: MapJob,
        items: Items,
    ) -> Result<()> {
        let stages_nothing = matches!(&job, MapJob::Staged(opened, _) if !opened.in_containers);
        let driven = async {
            let cancelled = async {
                run.cancel.cancelled().await;
                items.cancel();
                // The other handle removes the map, so that nothing of it may be written any more.
                run.objects.release();
            };
            let running: BoxFuture<'_, Result<()>> = match job {
                MapJob::New(function, stager) => {
                    Box::pin(self.run_items(run, *function, stager, items.clone()))
                }
                MapJob::Staged(opened, stager) => {
                    Box::pin(self.run_staged_items(run, *opened, stager, items.clone()))
                }
            };
            let result = tokio::select! {
                result = running => result,
                () = cancelled => Err(Error::lost(&run.id, "another handle cancelled it")),
            };
            run.status.send_replace(Status::Ended);
            run.log.end();
            if !run.objects.are_kept() {
                run.objects.announce_removal();
            }
            result
        };
        if stages_nothing {
            // There is nothing that a lease would keep.
            return driven.await;
        }
        tokio::select! {
            result = driven => result,
            never = run.lease.keep() => match never {},
        }
    }

    async fn run_items(
        &self,
        run: &RunState,
        function: ComponentFunction,
        stager: Option<Unstarted>,
        items: Items,
    ) -> Result<()> {
        run.env.check()?;
        let request = StagingRequest {
            function: &function,
            // The items have the arguments.
            arguments: RunArguments::Whole(codec::array_head(0).into()),
            // An item's timeout doesn't include the compilation, which all items share.
            compile_timeout: None,
            is_map: true,
        };
        self.prepare(run, &function).await?;
        let staged = self.stage_run(run, request).await?;
        if let Some(stager) = stager {
            self.start_stager(run, &staged, stager, &items).await?;
        }
        tracing::info!(
            target: STEP,
            "running a map of `{}` {}",
            run.call.function(),
            self.description.location
        );
        self.with_retries(run, &staged, |number| {
            let attempt = self.new_attempt(run, &function, &staged, number);
            Box::pin(self.run_attempt_of_items(attempt, items.clone()))
        })
        .await
    }

    fn run_attempt_of_items(
        &self,
        attempt: Attempt,
        items: Items,
    ) -> BoxFuture<'static, Result<()>> {
        match self.runner.items() {
            Some(runner) => runner.run_items(attempt, items),
            None => Box::pin(async {
                Err(Error::runner("the runner cannot run items", "it has no items"))
            }),
        }
    }

    /// Starts the stager of a new map. The map is removed with its run.
    async fn start_stager(
        &self,
        run: &RunState,
        staged: &PlannedRun,
        stager: Unstarted,
        items: &Items,
    ) -> Result<()> {
        let (id, key) = (&run.id, staged.key.clone());
        // Registered before the key exists.
        let (keys, of_run, objects) = (KeyStore::of_user(), id.clone(), run.objects.clone());
        run.cleanup.register(format!("key of {id}"), async move {
            if objects.are_kept() {
                return Ok(());
            }
            blocking(move || keys.delete(&of_run)).await
        });
        let (keys, of_run, written) = (KeyStore::of_user(), id.clone(), key.clone());
        let (expiry, url) = (labels::expiry(Some(KEY_USE)), self.stage.url().to_owned());
        let failed = |error| {
            Error::runner("the map cannot be staged: its key cannot be kept", error)
                .hint("set XDG_STATE_HOME to a directory that only this user can use")
        };
        let write = move || keys.write_of_map(&of_run, &written, &expiry, &url).map_err(failed);
        blocking(write).await?;
        let retries = items.retry_options();
        let head = MapHead {
            manifest: staged.run.manifest_digest,
            retries: run.env.retries(),
            error_retries: retries.errors,
            max_memory: retries.max_memory,
            started_unix_us: items.started_unix_us(),
            containers: containers(&run.env, staged.plan.image.as_deref())?,
        };
        let planner = Planner::new(id.clone().into(), head);
        let (id, key) = (id.clone().into(), MapKey::of_run(&key));
        let writer = Writer::new(self.stage.clone(), id, key)?;
        let owner = Owner { lease: run.lease.clone(), objects: run.objects.clone() };
        let started = stager.start(writer, Some(planner), Some(owner));
        let (objects, stage, id) = (run.objects.clone(), self.stage.clone(), run.id.clone());
        let what = format!("map {id} in {}", stage.url());
        run.cleanup.register(what, async move {
            started.stop().await;
            match objects.are_kept() {
                true => Ok(()),
                false => Ok(stage.remove_map(&id).await?),
            }
        });
        // So that other programs know from the beginning that the map has an owner.
        run.lease.renew().await;
        Ok(())
    }
}

/// Returns what the job doesn't say of containers with this image; `None` for a runner without images.
#[cfg(feature = "docker")]
fn containers(env: &RunEnvironment, image: Option<&str>) -> Result<Option<MapContainers>> {
    image.map(|image| surroundings::containers(env, image)).transpose()
}

/// Returns `None`, since no runner has images.
#[cfg(not(feature = "docker"))]
fn containers(_: &RunEnvironment, _: Option<&str>) -> Result<Option<MapContainers>> {
    Ok(None)
}
