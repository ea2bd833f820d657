//! How a submitter's runs begin, here or by attaching to one that began elsewhere.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::field::Empty;
use tracing::instrument::WithSubscriber;

use super::Submitter;
use crate::call::closure::{Call, Closure};
use crate::cleanup::owned::Owned;
use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::names::new_run_id;
use crate::run::attach::Attachment;
use crate::run::detach::Detaching;
use crate::run::driver::{Fate, Order};
use crate::run::handle::{Custody, Parts, Run};
use crate::run::handover::Handover;
use crate::run::known;
use crate::run::lease::Lease;
use crate::run::log::Log;
use crate::run::run_objects::RunObjects;
use crate::run::status::Status;

impl Submitter {
    /// Starts `closure` in `env`; it goes on by itself until its value is waited for.
    ///
    /// What cannot be started says so when it is waited for.
    pub fn spawn<T>(&self, closure: Closure<T>, env: &RunEnvironment) -> Run<T> {
        let core = Arc::clone(&self.inner.core);
        let (id, call) = (new_run_id(), closure.into_call());
        let function = call.function().to_owned();
        let Base { log, owned, status, lease, objects } = self.base(&id, &function);
        let (decide, fate) = watch::channel(Fate::Undecided);
        let (cancel, handover) = (CancellationToken::new(), Handover::new());
        known::enter(&core.registry, &id, status.subscribe(), &lease, &cancel);
        let detaching = Detaching {
            run_id: id.clone(),
            handover: handover.clone(),
            lease: lease.clone(),
            outlives_program: core.description.outlives_program,
            place: core.description.place.clone(),
        };
        let transient_volume = env.transient_volume().cloned();
        let custody = Custody::Held { owned: owned.clone(), detaching, transient_volume };
        let followed = (status.subscribe(), log.clone());
        let (env, stage_secret) = (env.clone(), self.stage_secret.clone());
        let mut order = Order {
            id: id.clone(),
            call,
            env,
            status,
            log,
            owned,
            lease,
            objects,
            stage_secret,
            fate,
            handover,
            cancel,
        };
        let driving = async move {
            let result = core.drive(&mut order).await;
            drop(order);
            result
        };
        self.start((id, function), driving, followed, (decide, custody))
    }

    /// Waits for a run that was begun elsewhere, in this process or another; `T` is the type of its
    /// value.
    ///
    /// The run stays as it is until its value or failure is here and decoded: after any other error, when the future
    /// is dropped, and when this program is told to end, it can be attached to again. [`Run::cancel`] cancels it.
    ///
    /// A run that was [detached](Run::detach), or whose owner is gone, is removed once its value is here, from the
    /// stage and where it ran. Whether an owner that left it undetached is gone, its lease tells within a minute: the
    /// value doesn't wait for that, but [`close`](Self::close), the drop of the submitter and the end of
    /// [`main`](crate::main) do. While its owner still waits for it, the owner removes it; then it is an error if the
    /// owner, or another who attached, was faster.
    ///
    /// A run that is still being staged is waited for. What it writes is shown here, too, as it comes where its runner can
    /// follow it, and else once it has ended; its status says nothing of attempts. When it was lost with its owner, that is known after the owner's lease. An outcome that nobody vouches
    /// for is told by a warning, or refused by a submitter [with strict results](Self::with_strict_results).
    pub fn attach<T>(&self, run_id: &str) -> Run<T> {
        let id = run_id.to_owned();
        let function = Call::unknown().function().to_owned();
        let Base { log, owned, status, lease, objects } = self.base(&id, &function);
        let followed = (status.subscribe(), log.clone());
        let (core, is_strict) = (Arc::clone(&self.inner.core), self.is_strict);
        let handles = (owned, status, log.clone());
        let attachment = Attachment::new(core, &id, (lease, objects), handles, is_strict);
        let (decide, _) = watch::channel(Fate::Undecided);
        let custody = Custody::Attached(attachment.clone());
        let driving = async move {
            let result = attachment.collect().await;
            log.end();
            result
        };
        self.start((id, function), driving, followed, (decide, custody))
    }

    fn base(&self, id: &str, function: &str) -> Base {
        let core = &self.inner.core;
        let log = Log::new(format!("{function} {id}"));
        let owned = core.owned.of_run();
        // Removed last, when whoever could write is gone.
        let end = log.clone();
        owned.enter_action(async move {
            end.end();
            Ok(())
        });
        let lease = Lease::new(&core.stage, id, function, core.lease_term);
        let objects = RunObjects::new(id, &core.stage, &lease, &core.registry);
        Base { log, owned, status: watch::Sender::new(Status::Staging), lease, objects }
    }

    fn start<T>(
        &self,
        (id, function): (String, String),
        driving: impl Future<Output = Result<Bytes>> + Send + 'static,
        (status, log): (watch::Receiver<Status>, Log),
        (fate, custody): (watch::Sender<Fate>, Custody),
    ) -> Run<T> {
        let (send, ended) = oneshot::channel();
        let span = tracing::info_span!("run", run = id, closure = function, attempt = Empty);
        let driving = async move {
            let result = driving.await;
            // Nobody may be waiting any more.
            let _ = send.send(result);
        };
        // What is told of the run goes where the caller's own events go.
        let driving = driving.instrument(span).with_current_subscriber();
        let abort = self.inner.background.spawn(driving);
        let parts = Parts { id, function, status, log, ended, abort, fate, custody };
        Run::new(parts, self.clone())
    }
}

/// What every run begins with.
struct Base {
    log: Log,
    owned: Owned,
    status: watch::Sender<Status>,
    lease: Lease,
    objects: RunObjects,
}
