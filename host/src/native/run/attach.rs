//! Attachments: handles that wait, through the stage, for runs that another handle started.
//!
//! An attachment removes nothing of a run until its value or failure is decoded, or the run is cancelled. Nothing of
//! the run is in a cleanup list, so that the run is unchanged after every other end of the attachment.

mod location;
mod output;
mod removal;
#[cfg(test)]
#[cfg(feature = "local")]
mod tests;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use hype_stage::StageErrorKind;
use hype_wire::{RunManifest, names};
use tokio::sync::{Mutex, OnceCell, watch};

use self::location::StartLocation;
use crate::call::closure::Call;
use crate::cleanup::list::CleanupList;
use crate::error::{Error, Result};
use crate::names::new_run_id;
use crate::run::driven;
use crate::run::driver::Dispatcher;
use crate::run::lease::{self, Lease, LeaseWatch};
use crate::run::log::Log;
use crate::run::resources::RunResources;
use crate::run::run_objects::RunObjects;
use crate::run::status::Status;

/// A handle's attachment to a run that another handle started. Clones share one state.
#[derive(Clone)]
pub(crate) struct Attachment(Arc<Inner>);

struct Inner {
    dispatcher: Arc<Dispatcher>,
    id: String,
    /// The lease that this attachment writes once the owner's lease has expired.
    lease: Lease,
    objects: RunObjects,
    /// The cleanup list of the handle, which contains nothing of the run.
    cleanup: CleanupList,
    status: watch::Sender<Status>,
    is_strict: bool,
    log: Log,
    owner_lease: Mutex<LeaseWatch>,
    location: OnceCell<StartLocation>,
    /// Whether the run has no other owner: it is detached, or its owner is gone.
    is_owned: AtomicBool,
    /// Whether the run needs no further attachment: its end was returned, or it was cancelled.
    is_over: Arc<AtomicBool>,
}

/// The manifest of a run in the stage.
enum StagedManifest {
    /// There is none, or not yet.
    Missing,
    Present(Box<Result<RunManifest>>),
}

impl StagedManifest {
    /// Returns the function's name for messages, if the manifest can be read.
    fn function(&self) -> Option<String> {
        let Self::Present(manifest) = self else { return None };
        let manifest = manifest.as_ref().as_ref().ok()?;
        Some(manifest.call.function.plain_name().to_owned())
    }
}

impl Attachment {
    pub(crate) fn new(
        dispatcher: Arc<Dispatcher>,
        id: &str,
        resources: RunResources,
        is_strict: bool,
    ) -> Self {
        let RunResources { log, cleanup, status, lease, objects } = resources;
        let owner_lease = Mutex::new(LeaseWatch::new(Instant::now(), dispatcher.lease_term));
        let (is_over, last_status) = (Arc::new(AtomicBool::new(false)), status.subscribe());
        let attachment = Self(Arc::new(Inner {
            dispatcher,
            id: id.to_owned(),
            lease,
            objects,
            cleanup: cleanup.clone(),
            status,
            is_strict,
            log,
            owner_lease,
            location: OnceCell::new(),
            is_owned: AtomicBool::new(false),
            is_over: Arc::clone(&is_over),
        }));
        let id = id.to_owned();
        cleanup.register_action(async move {
            if *last_status.borrow() != Status::Staging && !is_over.load(Ordering::Relaxed) {
                tracing::info!(
                    "{id} stays as it is: submitter.attach::<T>(\"{id}\") waits for it again"
                );
            }
            Ok(())
        });
        attachment
    }

    /// Creates an attachment that only cancels the run.
    pub(crate) fn to_cancel(dispatcher: Arc<Dispatcher>, run_id: &str) -> Self {
        // Nothing is written for an invalid id, which the cancel reports.
        let id = run_id.parse().unwrap_or_else(|_| new_run_id());
        let resources = RunResources::new(&dispatcher, &id, Call::unknown().function());
        resources.log.end();
        Self::new(dispatcher, run_id, resources, false)
    }

    /// Waits for the outcome, and returns the MessagePack of the value.
    pub(crate) async fn collect(&self) -> Result<Bytes> {
        let collected = self.0.collect().await;
        self.0.status.send_replace(Status::Ended);
        if let Err(error) = &collected
            && error.failure().is_none()
        {
            // The error has a hint about the next attachment, so that the message of the cleanup list is redundant.
            self.0.is_over.store(true, Ordering::Relaxed);
        }
        collected
    }
}

impl Inner {
    async fn collect(&self) -> Result<Bytes> {
        let id = &self.id;
        if !names::is_run_id(id) {
            return Err(Error::input(format!("`{id}` cannot be a run's name"))
                .hint("Run::id returns it: hype-run- and ten letters and digits"));
        }
        if let Some(lease) = driven::lease(id) {
            // This program drives the run, which may not be in the stage yet.
            lease.attach().await;
        }
        let manifest = self.wait_until_staged().await?;
        self.status.send_replace(Status::Running(1));
        let function = manifest.as_ref().and_then(StagedManifest::function);
        self.report_attached(function.as_deref());
        if let Some(manifest) = manifest {
            // This is the only call that sets it before `location()` does.
            let _ = self.location.set(self.locate(manifest));
        }
        let outcome = self.with_output(self.outcome()).await?;
        let function = match function {
            Some(function) => function,
            None => self.find_function().await,
        };
        self.dispatcher.conclude(&function, outcome).await.map_err(|error| match error.failure() {
            Some(_) => error,
            None => self.with_attach_hint(error),
        })
    }

    /// Returns the name of the function for messages, from the manifest or the lease. If neither can be read, returns
    /// the run's name.
    async fn find_function(&self) -> String {
        let manifest = self.manifest().await.ok();
        if let Some(function) = manifest.as_ref().and_then(StagedManifest::function) {
            return function;
        }
        let lease = lease::find(&self.dispatcher.stage, &self.id).await.ok().flatten();
        lease.map_or_else(|| self.id.clone(), |lease| lease.function)
    }

    async fn find(&self, name: &str, at_most: u64) -> Result<Option<Bytes>> {
        match self.dispatcher.stage.get(name, at_most).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == StageErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.with_attach_hint(error.into())),
        }
    }

    async fn manifest(&self) -> Result<StagedManifest> {
        let found = self.find(&names::manifest(&self.id), RunManifest::MAX_SIZE).await?;
        Ok(match found {
            Some(bytes) => StagedManifest::Present(Box::new(self.decode_manifest(&bytes))),
            None => StagedManifest::Missing,
        })
    }

    /// Decodes the run's manifest, and rejects that of another run.
    fn decode_manifest(&self, bytes: &[u8]) -> Result<RunManifest> {
        let manifest = RunManifest::from_bytes(bytes)?;
        if *manifest.run_id == *self.id {
            return Ok(manifest);
        }
        let (id, other) = (&self.id, &manifest.run_id);
        Err(Error::input(format!("the manifest of {id} in the stage is of another run, `{other}`")))
    }

    /// Appends the hint that the run is unchanged, so that another attachment is possible.
    fn with_attach_hint(&self, error: Error) -> Error {
        let id = &self.id;
        error.append_hint(format!(
            "the run is as it was: submitter.attach::<T>(\"{id}\") waits for it again"
        ))
    }

    /// Returns the error of a run that doesn't exist.
    fn not_existing(&self) -> Error {
        let Self { id, dispatcher, .. } = self;
        Error::input(format!("there is no run {id} in {}", dispatcher.stage.url())).hint(
            "its value may have been collected, which can be done once, or it was cancelled, or its program ended \
             before it was staged",
        )
    }

    /// Returns whether a handle of this process drives the run.
    fn is_driven_here(&self) -> bool {
        driven::find(&self.id).is_some()
    }
}
