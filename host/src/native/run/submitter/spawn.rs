//! Start of a submitter's runs, and attachment to existing runs.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use hype_wire::RunId;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::field::Empty;
use tracing::instrument::WithSubscriber;

use super::Submitter;
use crate::call::closure::{Call, Closure};
use crate::call::handle::OpenCall;
use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::map::driver::MapJob;
use crate::map::items::Items;
use crate::names::new_run_id;
use crate::run::attach::Attachment;
use crate::run::chained::{Previous, RunValue};
use crate::run::control;
use crate::run::detach::Detaching;
use crate::run::driven;
use crate::run::driver::{Dispatcher, HandleState, RunState};
use crate::run::handle::{Ownership, Run, RunParts};
use crate::run::handover::Handover;
use crate::run::log::Log;
use crate::run::measured::Measured;
use crate::run::registry::DrivenRun;
use crate::run::resources::RunResources;
use crate::run::status::Status;

impl Submitter {
    /// Starts `closure` in `env`, and returns immediately. The run continues in the background.
    ///
    /// Errors of the start are returned by [`Run::wait`].
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn example(arg: String) -> String { arg }
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// let env = hype::RunEnvironment::new();
    /// let runs = ["a", "b", "c"].map(|arg| submitter.spawn(example(arg.into()), &env));
    /// for run in runs {
    ///     println!("{}", run.wait().await?);
    /// }
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    pub fn spawn<T>(&self, closure: Closure<T>, env: &RunEnvironment) -> Run<T> {
        self.spawn_call(closure.into_call(), env)
    }

    pub(crate) fn spawn_call<T>(&self, call: Call, env: &RunEnvironment) -> Run<T> {
        self.spawn_driven(new_run_id(), call, env, |dispatcher, mut run| async move {
            let result = dispatcher.drive(&mut run).await;
            drop(run);
            result
        })
    }

    /// Starts the run of the call `open`, which takes the value of the run of `parts`, once that has ended.
    pub(crate) fn spawn_next<T>(
        &self,
        parts: RunParts,
        open: OpenCall,
        env: &RunEnvironment,
    ) -> Run<T> {
        self.spawn_driven(new_run_id(), open.call(), env, |dispatcher, mut run| {
            run.previous = Some(Previous::new(parts, open, run.cleanup.clone()));
            async move {
                let result = dispatcher.drive(&mut run).await;
                drop(run);
                result
            }
        })
    }

    /// Starts the run `id` of a map, which ends when `items` have ended. Its value is empty.
    pub(crate) fn spawn_items(
        &self,
        id: RunId,
        call: Call,
        env: &RunEnvironment,
        job: MapJob,
        items: Items,
    ) -> Run<()> {
        self.spawn_driven(id, call, env, |dispatcher, run| async move {
            let result = dispatcher.drive_items(&run, job, items).await;
            drop(run);
            result.map(|()| RunValue::Read(Bytes::new()))
        })
    }

    fn spawn_driven<T, F>(
        &self,
        id: RunId,
        call: Call,
        env: &RunEnvironment,
        drive: impl FnOnce(Arc<Dispatcher>, RunState) -> F,
    ) -> Run<T>
    where
        F: Future<Output = Result<RunValue>> + Send + 'static,
    {
        let dispatcher = Arc::clone(&self.inner.dispatcher);
        let function = call.function().to_owned();
        let RunResources { log, cleanup, status, lease, objects } =
            RunResources::of_call(&dispatcher, &id, &call);
        let (state_sender, handle_state) = watch::channel(HandleState::Held);
        let (cancel, handover) = (CancellationToken::new(), Handover::new());
        let measured = Measured::default();
        let driven_run = DrivenRun {
            function: function.clone(),
            log: log.clone(),
            status: status.subscribe(),
            lease: lease.downgrade(),
            cancel: cancel.clone(),
        };
        driven::register(&dispatcher.registry, &id, &lease, driven_run);
        let detaching = Detaching {
            run_id: id.to_string(),
            handover: handover.clone(),
            lease: lease.clone(),
            outlives_program: dispatcher.description.outlives_program,
            place: dispatcher.description.location.clone(),
        };
        let transient_volume = env.transient_volume().cloned();
        let handle = NewHandle {
            id: id.to_string(),
            function,
            status: status.subscribe(),
            log: log.clone(),
            state: state_sender,
            measured: measured.clone(),
            ownership: Ownership::Owned {
                cleanup: cleanup.clone(),
                detaching,
                transient_volume,
                has_wit_types: call.has_wit_types(),
            },
        };
        let run = RunState {
            id,
            call,
            env: env.clone(),
            status,
            log,
            cleanup,
            lease,
            objects,
            stage_secret: self.stage_secret.clone(),
            handle_state,
            handover,
            cancel,
            measured,
            previous: None,
            lacks_argument: false,
        };
        let run = self.start(handle, Box::pin(drive(dispatcher, run)));
        // Afterwards, so that the run doesn't wait for the socket.
        self.serve();
        run
    }

    /// Lets other processes of this user list, follow and cancel the runs of this submitter, from the first call on.
    fn serve(&self) {
        self.inner.is_served.call_once(|| {
            let dispatcher = Arc::clone(&self.inner.dispatcher);
            self.inner.background.spawn(control::serve(dispatcher));
        });
    }

    /// Attaches to a run that this or another process started; `T` is the type of its value.
    ///
    /// The run is unchanged until its value or failure is here and decoded: after any other error, after a dropped
    /// future and after a signal that ends this program, another attachment is possible. [`Run::cancel`] cancels the
    /// run.
    ///
    /// A run that was [detached](Run::detach), or whose owner is gone, is removed once its value is here, from the
    /// stage and from the place where it ran. An owner's lease expires within a minute after its end. The
    /// value doesn't wait for that, but [`close`](Self::close), the drop of the submitter and the end of
    /// [`main`](crate::main) do. An owner that still waits for the run removes it. If the owner or another attached
    /// program was faster, the attachment returns an error.
    ///
    /// If the run is still being staged, the attachment waits. The closure's output is displayed here, too: immediately
    /// if the runner can follow it, or else when the run has ended. The status doesn't count attempts. If the run was
    /// lost together with its owner, the attachment returns an error after the owner's lease has expired. An outcome
    /// that can't be verified causes a warning, or an error with [strict results](Self::with_strict_results).
    ///
    /// ```no_run
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// let greeting = submitter.attach::<String>("hype-run-tizxijbai4").wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn attach<T>(&self, run_id: &str) -> Run<T> {
        let dispatcher = Arc::clone(&self.inner.dispatcher);
        let function = Call::unknown().function().to_owned();
        // Nothing is written for an invalid id, which the attachment reports.
        let id = run_id.parse().unwrap_or_else(|_| new_run_id());
        let resources = RunResources::new(&dispatcher, &id, &function);
        let (status, log) = (resources.status.subscribe(), resources.log.clone());
        let attachment = Attachment::new(dispatcher, run_id, resources, self.is_strict);
        let handle = NewHandle {
            id: run_id.to_owned(),
            function,
            status,
            log: log.clone(),
            state: watch::Sender::new(HandleState::Held),
            measured: Measured::default(),
            ownership: Ownership::Attached(attachment.clone()),
        };
        self.start(
            handle,
            Box::pin(async move {
                let result = attachment.collect().await;
                log.end();
                result.map(RunValue::Read)
            }),
        )
    }

    /// Stops the run `run_id`, whichever program started it, and removes everything that it created. A program of this
    /// user on this machine that drives the run stops it by itself, and returns an error to those who wait for it.
    ///
    /// ```no_run
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// submitter.cancel("hype-run-tizxijbai4").await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the first failed removal, or [`Input`](crate::ErrorKind::Input) when the run runs inside a process
    /// that this program can't reach.
    pub async fn cancel(&self, run_id: &str) -> Result<()> {
        Attachment::to_cancel(Arc::clone(self.dispatcher()), run_id).cancel().await
    }

    /// Starts the task `driving` of a run, and returns the run's handle.
    fn start<T>(&self, handle: NewHandle, driving: BoxFuture<'static, Result<RunValue>>) -> Run<T> {
        let NewHandle { id, function, status, log, state, measured, ownership } = handle;
        let (sender, ended) = oneshot::channel();
        let span = tracing::info_span!("run", run = id, closure = function, attempt = Empty);
        let configuration = self.configuration.clone();
        let driving = async move {
            let result = driving.await.map_err(|error| match configuration {
                Some(configuration) => configuration.explain(error),
                None => error,
            });
            // The handle may be gone.
            let _ = sender.send(result);
        };
        // Events of the run go to the caller's subscriber.
        let driving = driving.instrument(span).with_current_subscriber();
        // It doesn't run in a fork of the submitter's process, where `Run` returns an error.
        let abort = self.inner.background.spawn(driving);
        if self.check_process().is_err() {
            log.end();
        }
        let parts =
            RunParts { id, function, status, log, ended, abort, state, measured, ownership };
        Run::new(parts, self.clone())
    }
}

/// The parts of a handle before its run starts.
struct NewHandle {
    id: String,
    function: String,
    status: watch::Receiver<Status>,
    log: Log,
    state: watch::Sender<HandleState>,
    measured: Measured,
    ownership: Ownership,
}
