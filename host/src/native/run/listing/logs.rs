//! Logs of runs, whichever program started them.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt, stream};
use hype_wire::{Outcome, RunId, RunManifest, names, unseal};
use tokio::sync::mpsc;

use super::describe::{Described, describe};
use super::info::RunStatus;
use crate::error::{Error, Result};
use crate::run::attempt_logs::AttemptLogs;
use crate::run::control;
use crate::run::driven;
use crate::run::driver::Dispatcher;
use crate::run::lease::LeaseWatch;
use crate::run::log::{Log, LogLine};
use crate::run::log_backfill;
use crate::run::poll_pause::PollPause;
use crate::run::submitter::Submitter;
use crate::runner::{LogMode, ProcessInfo};

/// The time that reading the existing output may take.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The lines of a log to return.
///
/// ```
/// use hype::run::LogOptions;
///
/// let options = LogOptions { tail: Some(10), follow: true };
/// assert_ne!(options, LogOptions::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogOptions {
    /// The maximum number of existing lines; `None` for all that are kept.
    pub tail: Option<usize>,
    /// Whether to return new lines, too, until the run ends.
    pub follow: bool,
}

impl Submitter {
    /// Returns the lines that the closure of the run `run_id` writes or wrote to its standard output and error,
    /// whichever program started it.
    ///
    /// While the run lasts, they come from its program, container or Pod, and after its end from the outcome in the
    /// stage. Of a long log only the last 10,000 lines, or 16 MiB, are returned.
    ///
    /// ```no_run
    /// use futures::StreamExt;
    /// use hype::run::LogOptions;
    ///
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// let mut lines = submitter.logs("hype-run-tizxijbai4", LogOptions::default());
    /// while let Some(line) = lines.next().await {
    ///     println!("{}", line?.text);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the run doesn't exist, or runs inside a process that this program can't
    /// reach; [`Lost`](crate::ErrorKind::Lost) when its program has ended, and it has neither an outcome nor a process;
    /// [`Stage`](crate::ErrorKind::Stage) or [`Runner`](crate::ErrorKind::Runner) when the stage can't be read or the
    /// runner is unreachable.
    pub fn logs(
        &self,
        run_id: &str,
        options: LogOptions,
    ) -> impl Stream<Item = Result<LogLine>> + Send + Unpin + use<> {
        let (dispatcher, run_id) = (Arc::clone(self.dispatcher()), run_id.to_owned());
        self.stream(async move |sender| {
            let reader =
                Reader { dispatcher: &dispatcher, run_id: &run_id, options, sender: &sender };
            if let Err(error) = reader.read().await {
                // The receiver may be gone.
                let _ = sender.send(Err(error)).await;
            }
        })
    }
}

/// A reader of one run's log.
struct Reader<'a> {
    dispatcher: &'a Dispatcher,
    run_id: &'a str,
    options: LogOptions,
    sender: &'a mpsc::Sender<Result<LogLine>>,
}

impl Reader<'_> {
    async fn read(&self) -> Result<()> {
        let Self { dispatcher, run_id, options, .. } = self;
        let Ok(id) = run_id.parse::<RunId>() else {
            return Err(Error::input(format!("`{run_id}` cannot be a run's name")));
        };
        let (mut pause, mut lease) = (PollPause::default(), self.lease_watch());
        loop {
            if let Some(lines) = self.lines_of_program(&id).await? {
                return self.send_all(lines).await;
            }
            let found = dispatcher.runner.processes(Some(run_id)).await;
            let processes = found.map(|found| found.processes).unwrap_or_default();
            if let Some(attempt) = latest_attempt(&processes) {
                return self.send_processes(attempt).await;
            }
            if let Some(outcome) = self.outcome().await? {
                let log = Log::silent();
                log_backfill::backfill(&dispatcher.stage, &outcome, &log, [0, 0]).await;
                log.end();
                return self.send_all(stream::iter(log.kept(options.tail)).map(Ok)).await;
            }
            let described = describe(dispatcher, run_id, Some(&mut lease)).await?;
            let Described { details: run, failure } = described;
            // Its manifest may name a location in which the runner finds processes now.
            if let Some(attempt) = latest_attempt(&run.processes) {
                return self.send_processes(attempt).await;
            }
            if let (RunStatus::Lost(_), Some(error)) = (&run.info.status, run.error) {
                return Err(error);
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
            if !options.follow {
                return Err(self.not_visible());
            }
            pause.wait().await;
        }
    }

    /// Returns a watch of the run's lease, which tells the end of its owner even to a program that can't read the clock
    /// of the stage.
    fn lease_watch(&self) -> LeaseWatch {
        LeaseWatch::new(Instant::now(), self.dispatcher.lease_term)
    }

    /// Returns the lines of a run that this program, or another one of this user on this machine, drives.
    async fn lines_of_program(
        &self,
        id: &RunId,
    ) -> Result<Option<stream::BoxStream<'static, Result<LogLine>>>> {
        let LogOptions { tail, follow } = self.options;
        if let Some(log) = driven::log(id) {
            return Ok(Some(match follow {
                true => log.follow_from(tail).map(Ok).boxed(),
                false => stream::iter(log.kept(tail)).map(Ok).boxed(),
            }));
        }
        let locals = control::list(self.dispatcher.stage.url()).await;
        let Some(local) = locals.into_iter().find(|local| local.run.run_id == *id) else {
            return Ok(None);
        };
        control::follow(&local.socket, id, tail, follow).await.map(Some)
    }

    /// Sends the output of the latest attempt that has a process, and, if the run is followed, of all later ones.
    async fn send_processes(&self, latest: u32) -> Result<()> {
        match self.options.follow {
            true => self.follow_process(latest).await,
            false => self.send_existing(latest).await,
        }
    }

    /// Copies the output of an attempt that exists now to a log.
    async fn existing(&self, attempt: u32) -> Result<Log> {
        let (runner, log) = (&self.dispatcher.runner, Log::silent());
        let copying = runner.copy_log(self.run_id, attempt, log.clone(), LogMode::Existing);
        tokio::time::timeout(READ_TIMEOUT, copying).await.map_err(|_| {
            let reason = format!("it was not complete after {READ_TIMEOUT:?}");
            Error::runner(format!("the log of {} cannot be read", self.run_id), reason)
        })?;
        Ok(log)
    }

    /// Sends the output of an attempt that exists now. If the run has ended, the outcome has lines that the runner could
    /// not read.
    async fn send_existing(&self, attempt: u32) -> Result<()> {
        let log = self.existing(attempt).await?;
        if let Some(present) = log.take_truncation()
            && let Some(outcome) = self.outcome().await?
        {
            let present = if outcome.attempt == attempt { present } else { [0, 0] };
            log_backfill::backfill(&self.dispatcher.stage, &outcome, &log, present).await;
        }
        log.end();
        self.send_all(stream::iter(log.kept(self.options.tail)).map(Ok)).await
    }

    /// Sends the output of `attempt` and of all following ones until the run has ended.
    async fn follow_process(&self, attempt: u32) -> Result<()> {
        let mut skipped = 0;
        if let Some(tail) = self.options.tail {
            // An unfinished line is sent once it is finished.
            let existing = self.existing(attempt).await?;
            skipped = existing.count();
            self.send_all(stream::iter(existing.kept(Some(tail))).map(Ok)).await?;
        }
        let Dispatcher { stage, runner, .. } = self.dispatcher;
        self.add_search_location().await?;
        let log = Log::silent();
        let copying = async {
            let attempts = AttemptLogs::starting_with(attempt, &**runner, self.run_id, &log);
            let mut following = attempts.follow();
            let ended = tokio::select! {
                ended = self.wait_for_end() => ended?,
                never = &mut following => match never {},
            };
            attempts.finish(following, stage, ended.as_ref()).await;
            log.end();
            Ok(())
        };
        let lines = log.follow_after(skipped).map(Ok);
        tokio::try_join!(copying, self.send_all(lines)).map(drop)
    }

    /// Waits until the run has an outcome, and returns it; `None` if the run can't have one any more. Between two
    /// attempts, nothing of the run exists but its owner.
    async fn wait_for_end(&self) -> Result<Option<Outcome>> {
        let runner = &self.dispatcher.runner;
        let (mut pause, mut lease) = (PollPause::default(), self.lease_watch());
        loop {
            if let Some(outcome) = self.outcome().await? {
                return Ok(Some(outcome));
            }
            if !self.has_manifest().await? {
                return Ok(None);
            }
            if !runner.is_alive(self.run_id).await? && self.is_lost_or_removed(&mut lease).await? {
                return Ok(None);
            }
            pause.wait().await;
        }
    }

    async fn is_lost_or_removed(&self, lease: &mut LeaseWatch) -> Result<bool> {
        match describe(self.dispatcher, self.run_id, Some(lease)).await {
            Ok(run) => Ok(matches!(run.details.info.status, RunStatus::Lost(_))),
            // Its program removed it since its manifest was found.
            Err(_) if !self.has_manifest().await? => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn has_manifest(&self) -> Result<bool> {
        Ok(self.dispatcher.stage.has(&names::manifest(self.run_id)).await?)
    }

    /// Tells the runner the location that the manifest records, so that it searches for the run there, and ignores
    /// other locations that it can't search.
    async fn add_search_location(&self) -> Result<()> {
        let (Dispatcher { stage, runner, .. }, name) =
            (self.dispatcher, names::manifest(self.run_id));
        let manifest = stage.find_dated(&name, RunManifest::MAX_SIZE).await?;
        let manifest = manifest.and_then(|(bytes, _)| RunManifest::from_bytes(&bytes).ok());
        if let Some(location) = manifest.and_then(|manifest| manifest.place) {
            runner.add_search_location(self.run_id, &location);
        }
        Ok(())
    }

    async fn outcome(&self) -> Result<Option<Outcome>> {
        let (stage, name) = (&self.dispatcher.stage, names::outcome(self.run_id));
        let Some((bytes, _)) = stage.find_dated(&name, Outcome::MAX_SIZE).await? else {
            return Ok(None);
        };
        // Only displayed, so that nothing needs to prove it.
        let (bytes, _) = unseal(Vec::from(bytes), None)?;
        let outcome = Outcome::from_bytes(&bytes)?;
        // The names of its objects contain the run's name.
        Ok(Some(outcome).filter(|outcome| *outcome.run_id == *self.run_id))
    }

    async fn send_all(&self, lines: impl Stream<Item = Result<LogLine>> + Send) -> Result<()> {
        let mut lines = pin!(lines);
        while let Some(line) = lines.next().await {
            if self.sender.send(line).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    fn not_visible(&self) -> Error {
        Error::input(format!("the log of {} is not visible here yet", self.run_id))
            .because("it runs inside a process that this program cannot reach, or has not started")
            .hint("follow it: its output is available here as soon as it has ended")
    }
}

fn latest_attempt(processes: &[ProcessInfo]) -> Option<u32> {
    processes.iter().map(|process| process.attempt).max()
}
