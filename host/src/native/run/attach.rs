//! Runs that another handle began, here or in another process: waited for through the stage.
//!
//! Whoever attached to a run removes nothing of it until its value or failure is decoded, or it is asked to cancel the
//! run. Nothing of it stands in a list of what is to be removed, so that every other end of it leaves the run as it is.

mod remains;
mod shown;
#[cfg(test)]
#[cfg(feature = "local")]
mod tests;
mod watched;
mod whereabouts;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use hype_stage::StageErrorKind;
use hype_wire::{RunManifest, WireError, names};
use tokio::sync::{Mutex, OnceCell, watch};

use self::whereabouts::Whereabouts;
use crate::cleanup::owned::Owned;
use crate::error::{Error, Result};
use crate::run::driver::Core;
use crate::run::known;
use crate::run::lease::{self, Lease, Watch};
use crate::run::log::Log;
use crate::run::run_objects::RunObjects;
use crate::run::status::Status;

/// A run that another handle began. Clones are one.
#[derive(Clone)]
pub(crate) struct Attachment(Arc<Inner>);

struct Inner {
    core: Arc<Core>,
    id: String,
    /// Ours, once nobody else has one.
    lease: Lease,
    objects: RunObjects,
    /// What goes with the handle, which is nothing of the run's.
    owned: Owned,
    status: watch::Sender<Status>,
    is_strict: bool,
    log: Log,
    owners_lease: Mutex<Watch>,
    whereabouts: OnceCell<Whereabouts>,
    /// Whether its owner left it to us, or is gone.
    is_ours: AtomicBool,
    /// Whether somebody got an end of it, or cancelled it.
    is_over: Arc<AtomicBool>,
}

/// What the stage says of a run when somebody attaches to it.
enum Found {
    /// It is being staged, or may be.
    NoManifest,
    Manifest(Box<std::result::Result<RunManifest, WireError>>),
}

impl Found {
    /// The function's name, for a person.
    fn function(&self) -> Option<String> {
        let Self::Manifest(manifest) = self else { return None };
        let manifest = manifest.as_ref().as_ref().ok()?;
        Some(manifest.call.function.plain_name().to_owned())
    }
}

impl Attachment {
    pub(crate) fn new(
        core: Arc<Core>,
        id: &str,
        (lease, objects): (Lease, RunObjects),
        (owned, status, log): (Owned, watch::Sender<Status>, Log),
        is_strict: bool,
    ) -> Self {
        let owners_lease = Mutex::new(Watch::new(Instant::now(), core.lease_term));
        let (is_over, reached) = (Arc::new(AtomicBool::new(false)), status.subscribe());
        let attachment = Self(Arc::new(Inner {
            core,
            id: id.to_owned(),
            lease,
            objects,
            owned: owned.clone(),
            status,
            is_strict,
            log,
            owners_lease,
            whereabouts: OnceCell::new(),
            is_ours: AtomicBool::new(false),
            is_over: Arc::clone(&is_over),
        }));
        let id = id.to_owned();
        owned.enter_action(async move {
            if *reached.borrow() != Status::Staging && !is_over.load(Ordering::Relaxed) {
                tracing::info!(
                    "{id} stays as it is: submitter.attach::<T>(\"{id}\") waits for it again"
                );
            }
            Ok(())
        });
        attachment
    }

    /// The MessagePack of the value, once it is there.
    pub(crate) async fn collect(&self) -> Result<Bytes> {
        let collected = self.0.collect().await;
        self.0.status.send_replace(Status::Ended);
        if let Err(error) = &collected
            && error.failure().is_none()
        {
            // The error says all that there is to say.
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
                .hint("Run::id gives it: hype-run- and ten letters and digits"));
        }
        let found = self.staged().await?;
        self.status.send_replace(Status::Running(1));
        let function = found.as_ref().and_then(Found::function);
        self.tell(function.as_deref());
        if let Some(found) = found {
            // It is told once.
            let _ = self.whereabouts.set(self.located(found));
        }
        let outcome = self.with_output(self.outcome()).await?;
        let function = match function {
            Some(function) => function,
            None => self.function().await,
        };
        self.core.conclude(&function, outcome).await.map_err(|error| match error.failure() {
            Some(_) => error,
            None => self.left(error),
        })
    }

    /// The name of the function, which the manifest or the lease has, for a message.
    async fn function(&self) -> String {
        // What can't be read now names nothing.
        if let Some(function) = self.manifest().await.ok().as_ref().and_then(Found::function) {
            return function;
        }
        let lease = lease::find(&self.core.stage, &self.id).await.ok().flatten();
        lease.map_or_else(|| self.id.clone(), |lease| lease.function)
    }

    async fn find(&self, name: &str, at_most: u64) -> Result<Option<Bytes>> {
        match self.core.stage.get(name, at_most).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == StageErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.left(error.into())),
        }
    }

    async fn manifest(&self) -> Result<Found> {
        let found = self.find(&names::manifest(&self.id), RunManifest::MAX_SIZE).await?;
        Ok(match found {
            Some(bytes) => Found::Manifest(Box::new(RunManifest::from_bytes(&bytes))),
            None => Found::NoManifest,
        })
    }

    /// `error`, which leaves the run as it was.
    fn left(&self, error: Error) -> Error {
        let id = &self.id;
        error.hint_also(format!(
            "the run is as it was: submitter.attach::<T>(\"{id}\") waits for it again"
        ))
    }

    fn none(&self) -> Error {
        let Self { id, core, .. } = self;
        Error::input(format!("there is no run {id} in {}", core.stage.url())).hint(
            "its value may have been collected, which can be done once, or it was cancelled, or its program ended \
             before it was staged",
        )
    }

    /// Whether a handle of this process drives the run.
    fn is_driven_here(&self) -> bool {
        known::find(&self.id).is_some()
    }
}
