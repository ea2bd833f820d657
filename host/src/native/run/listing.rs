//! Lists, finds and describes the runs of a stage and a runner, whichever program started them.

mod describe;
mod facts;
mod failures;
mod find;
mod info;
mod judge;
#[cfg(test)]
mod log_tests;
mod logs;
#[cfg(test)]
#[cfg(all(unix, feature = "local"))]
mod tests;

pub use self::describe::RunDetails;
pub use self::info::{RunInfo, RunOwner, RunScope, RunStatus};
pub use self::logs::LogOptions;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use tokio::sync::{mpsc, oneshot};

use self::facts::Facts;
use self::failures::SearchFailures;
use self::judge::Evidence;
use crate::error::{Error, Result};
use crate::run::control::{self, LocalRun};
use crate::run::driver::Dispatcher;
use crate::run::lease::LeaseWatch;
use crate::run::submitter::Submitter;
use crate::runner::ProcessInfo;

/// The maximum number of runs whose objects are read concurrently.
const CONCURRENCY: usize = 16;

/// The time after which a run that seems lost is read again. The removal of a run takes less.
const CONFIRMATION_DELAY: Duration = Duration::from_millis(50);

/// The number of runs or lines that are read ahead.
const READ_AHEAD: usize = 64;

impl Submitter {
    /// Returns the runs of the stage and of the runner, in the order of their ids, whichever program started them.
    ///
    /// Runs that have ended are found only with [`RunScope::All`], which lists the whole stage. Otherwise the number of
    /// requests depends on the number of live runs alone. A run younger than 5 seconds is found if it has a container or
    /// Pod, or if a program of this user on this machine drives it.
    ///
    /// If the runner can't search a location, the stream has its error once, and continues with what the stage knows: the
    /// status of a run there is [`Unknown`](RunStatus::Unknown), unless the stage has its outcome.
    ///
    /// ```no_run
    /// use futures::StreamExt;
    /// use hype::run::RunScope;
    ///
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// let mut runs = submitter.runs(RunScope::Live);
    /// while let Some(run) = runs.next().await {
    ///     let run = run?;
    ///     println!("{} {} {}", run.id, run.function, run.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Stage`](crate::ErrorKind::Stage) when the stage can't be listed or read, [`Runner`](crate::ErrorKind::Runner)
    /// when the runner can't list its processes.
    pub fn runs(
        &self,
        scope: RunScope,
    ) -> impl Stream<Item = Result<RunInfo>> + Send + Unpin + use<> {
        let dispatcher = Arc::clone(self.dispatcher());
        self.stream(async move |sender| {
            let survey = match Survey::read(&dispatcher, scope).await {
                Ok(survey) => survey,
                Err(error) => return drop(sender.send(Err(error)).await),
            };
            let Survey { candidates, now, failures } = survey;
            let report = async || {
                for error in failures.take_unreported() {
                    // A closed stream ends at the next run.
                    let _ = sender.send(Err(error)).await;
                }
            };
            report().await;
            let runs = stream::iter(candidates)
                .map(async |mut candidate| {
                    candidate.describe(&dispatcher, now, None, &failures).await
                })
                .buffered(CONCURRENCY);
            let mut runs = pin!(runs);
            while let Some(run) = runs.next().await {
                report().await;
                let is_listed = match &run {
                    Ok(None) => false,
                    Ok(Some((run, _))) => scope == RunScope::All || run.status.is_live(),
                    Err(_) => true,
                };
                let run = run.map(|run| run.map(|(run, _)| run)).transpose();
                if let Some(run) = run.filter(|_| is_listed)
                    && sender.send(run).await.is_err()
                {
                    return;
                }
            }
        })
    }

    /// Runs `work` on the submitter's thread, so that it works in any executor.
    ///
    /// # Errors
    ///
    /// The error of `work`, or [`Input`](crate::ErrorKind::Input) in a fork of the submitter's process.
    pub(crate) async fn on_thread<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.check_process()?;
        let (sender, receiver) = oneshot::channel();
        self.spawn_on_thread(async move {
            // The receiver may be gone.
            let _ = sender.send(work.await);
        });
        receiver.await.map_err(|error| Error::runner("the submitter's thread has ended", error))?
    }

    /// Runs `send` on the submitter's thread, and returns the sent items. It stops when the stream is dropped.
    fn stream<T: Send + 'static, F: Future<Output = ()> + Send + 'static>(
        &self,
        send: impl FnOnce(mpsc::Sender<Result<T>>) -> F,
    ) -> BoxStream<'static, Result<T>> {
        if let Err(error) = self.check_process() {
            return stream::iter([Err(error)]).boxed();
        }
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let (closed, sending) = (sender.clone(), send(sender));
        self.spawn_on_thread(async move {
            tokio::select! {
                () = sending => {}
                () = closed.closed() => {}
            }
        });
        // The submitter keeps its thread alive.
        let state = (receiver, self.clone());
        stream::unfold(state, async |(mut receiver, submitter)| {
            let item = receiver.recv().await?;
            Some((item, (receiver, submitter)))
        })
        .boxed()
    }
}

/// The runs that may exist.
struct Survey {
    candidates: Vec<Candidate>,
    /// The time of the store's clock, if this program may write to the stage.
    now: Option<SystemTime>,
    failures: SearchFailures,
}

/// A run that may exist, with what is known of it outside the stage.
struct Candidate {
    run_id: String,
    is_indexed: bool,
    processes: Vec<ProcessInfo>,
    local: Option<LocalRun>,
    /// The reason why the runner could not search the run's location.
    search_failure: Option<String>,
}

impl Survey {
    /// Finds the runs of `scope`. Reads processes before the stage, since a process ends after its outcome is written.
    async fn read(dispatcher: &Dispatcher, scope: RunScope) -> Result<Self> {
        let Dispatcher { stage, runner, .. } = dispatcher;
        let (listed, locals, now) =
            tokio::join!(runner.processes(None), control::list(stage.url()), stage.now());
        let failures = SearchFailures::default();
        let processes = failures.record(listed);
        let indexed = stage.live_runs().await?;
        let all = match scope {
            RunScope::All => stage.all_runs().await?,
            RunScope::Live => BTreeSet::new(),
        };
        let mut candidates: BTreeMap<_, _> =
            all.into_iter().map(|id| (id.clone(), Candidate::new(id))).collect();
        let candidate = |candidates: &mut BTreeMap<String, Candidate>, id: &str| {
            candidates.entry(id.to_owned()).or_insert_with(|| Candidate::new(id.to_owned()));
        };
        for id in &indexed {
            candidate(&mut candidates, id);
        }
        for process in processes {
            candidate(&mut candidates, &process.run_id);
            if let Some(found) = candidates.get_mut(&process.run_id) {
                found.processes.push(process);
            }
        }
        for local in locals {
            candidate(&mut candidates, &local.run.run_id);
            if let Some(found) = candidates.get_mut(&*local.run.run_id) {
                found.local = Some(local);
            }
        }
        for (id, candidate) in &mut candidates {
            candidate.is_indexed = indexed.contains(id);
        }
        Ok(Self { candidates: candidates.into_values().collect(), now: now.ok(), failures })
    }
}

impl Candidate {
    fn new(run_id: String) -> Self {
        let (processes, local, search_failure) = (Vec::new(), None, None);
        Self { run_id, is_indexed: false, processes, local, search_failure }
    }

    /// Reads the stage, and returns the run with what the stage knows of it; `None` if the run is gone.
    async fn describe(
        &mut self,
        dispatcher: &Dispatcher,
        now: Option<SystemTime>,
        mut lease: Option<&mut LeaseWatch>,
        failures: &SearchFailures,
    ) -> Result<Option<(RunInfo, Facts)>> {
        let mut facts = Facts::read(dispatcher, &self.run_id, self.is_indexed, now).await?;
        facts.update(lease.as_deref_mut());
        let is_searchable = self.search(dispatcher, &facts, failures).await;
        self.processes.sort_by_key(|process| process.attempt);
        let mut info = self.judge(dispatcher, &facts, is_searchable);
        if matches!(&info, Some(RunInfo { status: RunStatus::Lost(_), .. })) {
            // Its end may have been written, or it is being removed, between two reads.
            tokio::time::sleep(CONFIRMATION_DELAY).await;
            facts = Facts::read(dispatcher, &self.run_id, false, now).await?;
            facts.update(lease);
            self.confirm_local(dispatcher).await;
            info = self.judge(dispatcher, &facts, is_searchable);
        }
        Ok(info.map(|info| (info, facts)))
    }

    fn judge(
        &self,
        dispatcher: &Dispatcher,
        facts: &Facts,
        is_searchable: bool,
    ) -> Option<RunInfo> {
        let evidence = Evidence {
            run_id: &self.run_id,
            facts,
            processes: &self.processes,
            local: self.local.as_ref().map(|local| &local.run),
            is_searchable,
            search_failure: self.search_failure.as_deref(),
            runner_location: &dispatcher.description.location,
        };
        evidence.judge()
    }

    /// Asks the submitter that drives the run again, which doesn't list it any more once it removes the run.
    async fn confirm_local(&mut self, dispatcher: &Dispatcher) {
        if self.local.is_some() {
            let locals = control::list(dispatcher.stage.url()).await;
            self.local = locals.into_iter().find(|local| *local.run.run_id == *self.run_id);
        }
    }

    /// Searches the location that the stage records for processes of the run, if none is known. Returns whether the
    /// runner has access to such locations.
    async fn search(
        &mut self,
        dispatcher: &Dispatcher,
        facts: &Facts,
        failures: &SearchFailures,
    ) -> bool {
        let staged = facts.staged.as_ref();
        let Some(location) = staged.and_then(|staged| staged.run_location.as_deref()) else {
            return false;
        };
        let (runner, id) = (&dispatcher.runner, self.run_id.as_str());
        if !runner.add_search_location(id, location) {
            return false;
        }
        if self.processes.is_empty() && facts.outcome.is_none() {
            if failures.reason(location).is_none() {
                self.processes = failures.record(runner.processes(Some(id)).await);
            }
            self.search_failure = failures.reason(location);
        }
        true
    }
}
