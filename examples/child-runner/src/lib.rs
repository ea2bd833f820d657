//! A custom runner: each attempt is a child process, `hype-run`.
//!
//! A runner for a batch system has the same structure: it builds a [`Process`] from the attempt, submits it to the
//! system, and translates its end to a [`ProcessEnd`]. The tests run hype's whole conformance suite.

use std::collections::{BTreeSet, HashMap};
use std::future::ready;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use hype::run::LogStream;
use hype::runner::launch::{Invocation, KeySource};
use hype::runner::{
    Attempt, CleanupList, CollectedLeftovers, Completion, Description, FoundProcesses, HostMounts,
    Log, LogMode, Mount, Plan, PlanRequest, Process, ProcessEnd, ProcessExit, Proof, RunKey,
    Runner, Subject, check_commands, is_driven_here,
};
use hype::stage::CollectMode;
use hype::{Error, Result, RunEnvironment};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::watch;

/// Runs closures in child processes of this program.
#[derive(Debug, Clone)]
pub struct ChildRunner {
    hype_run: PathBuf,
    mounts: Arc<HostMounts>,
    children: Arc<Children>,
}

/// The running children, by their run IDs.
type Children = Mutex<HashMap<String, ChildHandle>>;

/// Stops a child and waits for its end.
#[derive(Debug)]
struct ChildHandle {
    stop: watch::Sender<bool>,
    /// Closed when the child has ended.
    gone: watch::Receiver<()>,
}

impl ChildRunner {
    /// Returns a runner that starts the program `hype_run`.
    pub fn new(hype_run: impl Into<PathBuf>) -> Self {
        let mounts = Arc::new(HostMounts::of_user("ChildRunner"));
        Self { hype_run: hype_run.into(), mounts, children: Arc::default() }
    }

    /// Sets the directories of volumes and secrets.
    #[must_use]
    pub fn with_directories(
        self,
        volumes: impl Into<PathBuf>,
        secrets: impl Into<PathBuf>,
    ) -> Self {
        let mut mounts = HostMounts::of_user("ChildRunner");
        mounts.set_volumes(volumes);
        mounts.set_secrets(secrets);
        Self { mounts: Arc::new(mounts), ..self }
    }

    /// Stops the child of a run, if it is running, and waits for its end.
    async fn stop(children: Arc<Children>, run_id: String) {
        let child = lock(&children).remove(&run_id);
        if let Some(ChildHandle { stop, mut gone }) = child {
            stop.send_replace(true);
            // The channel only closes: the error means that the child has ended.
            let _ = gone.changed().await;
        }
    }
}

impl Runner for ChildRunner {
    fn description(&self) -> Description {
        Description { location: "in a child process".to_owned(), outlives_program: false }
    }

    fn plan<'a>(&'a self, _: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(ready(Ok(Plan::on_this_machine())))
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        cleanup: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        Box::pin(ready(check_commands(env).and_then(|()| self.mounts.mounts(env, cleanup))))
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Completion>> {
        let (runner, process) = (self.clone(), Process::of(&attempt));
        Box::pin(async move {
            let (stop, stopped) = watch::channel(false);
            let (running, gone) = watch::channel(());
            lock(&runner.children).insert(process.run_id.clone(), ChildHandle { stop, gone });
            let stopping = ChildRunner::stop(Arc::clone(&runner.children), process.run_id.clone());
            process.cleanup.register(format!("process {}", process.name), async move {
                stopping.await;
                Ok(())
            });
            let child = Child::of(&process, &runner.hype_run);
            // A separate task waits for the child even if this future is dropped. It must not hold the cleanup list:
            // dropping the last handle of that list stops the child.
            let task = tokio::spawn(async move {
                let _running = running;
                child.run(stopped).await
            });
            let end = task.await.map_err(|error| Error::runner("a task failed", error))?;
            lock(&runner.children).remove(&process.run_id);
            let name = format!("process {}", process.name);
            let mut subject = Subject::process(&process.run_id, &name);
            subject.last_lines = process.log.last(5);
            subject.judge(end)
        })
    }

    fn add_search_location(&self, _: &str, _: &str) -> bool {
        false
    }

    fn check_removable<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(ready(Ok(is_driven_here(run_id))))
    }

    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        Box::pin(ready(Ok(Proof::of_this_process(run_id))))
    }

    fn failure<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        Box::pin(ready(Ok(None)))
    }

    fn processes<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<FoundProcesses>> {
        Box::pin(ready(Ok(FoundProcesses::default())))
    }

    fn copy_log(&self, _: &str, _: u32, _: Log, _: LogMode) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    fn remove(&self, run_id: &str, _: bool) -> BoxFuture<'static, Result<()>> {
        let stopped = Self::stop(Arc::clone(&self.children), run_id.to_owned());
        Box::pin(async move {
            stopped.await;
            Ok(())
        })
    }

    fn collect<'a>(
        &'a self,
        mode: CollectMode,
        _: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<CollectedLeftovers>> {
        Box::pin(ready(self.mounts.collect(mode)))
    }
}

/// A child process to be started.
struct Child {
    command: Command,
    invocation: Invocation,
    key: RunKey,
    name: String,
    log: Log,
}

impl Child {
    fn of(process: &Process, hype_run: &Path) -> Self {
        let mut command = Command::new(hype_run);
        command.env_clear().envs(&process.variables).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let (invocation, key) = (process.invocation.clone(), process.key.clone());
        Self { command, invocation, key, name: process.name.clone(), log: process.log.clone() }
    }

    /// Runs the child to its end, or until it is stopped.
    async fn run(self, stopped: watch::Receiver<bool>) -> ProcessEnd {
        match self.run_to_end(stopped).await {
            Ok(exit) => ProcessEnd::Exited(exit),
            Err(error) => {
                ProcessEnd::NeverStarted(Error::runner("cannot run hype-run as a child", error))
            }
        }
    }

    async fn run_to_end(mut self, mut stopped: watch::Receiver<bool>) -> io::Result<ProcessExit> {
        // Only this user can read the directory, and no closure has it as a mount.
        let directory = tempfile::tempdir()?;
        let termination_log = directory.path().join("termination-log");
        self.invocation.key = Some(KeySource::StandardInput);
        self.invocation.termination_log = Some(termination_log.clone());
        self.invocation.isolates_commands = true;
        let mut child = self.command.args(self.invocation.to_args()).spawn()?;
        let mut key = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        key.write_all(format!("{}\n", self.key.reveal()).as_bytes()).await?;
        drop(key);
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let output = futures::future::join(
            copy_output(out, &self.log, LogStream::Stdout),
            copy_output(err, &self.log, LogStream::Stderr),
        );
        let ended = async {
            // The pipes close with the process, so this copies all of its output.
            output.await;
            child.wait().await
        };
        let status = tokio::select! {
            status = ended => Some(status?),
            // An error means that the handle was dropped, so the child can't be stopped any more.
            Ok(_) = stopped.wait_for(|stopped| *stopped) => None,
        };
        let Some(status) = status else {
            child.kill().await?;
            let mut exit = ProcessExit::of_status(137);
            exit.stopped_by = Some(format!("process {} was stopped", self.name));
            return Ok(exit);
        };
        let mut exit = ProcessExit::of_status(exit_code(status));
        let lines = tokio::fs::read_to_string(termination_log).await.unwrap_or_default();
        exit.line = lines.lines().next().and_then(|line| line.parse().ok());
        Ok(exit)
    }
}

/// Copies a pipe of the child to `log`.
async fn copy_output(pipe: Option<impl AsyncRead + Unpin>, log: &Log, stream: LogStream) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 << 10];
    // A read error ends the pipe, too.
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        log.write(stream, &buffer[..read]);
    }
}

/// Returns the exit status; 128 plus the signal's number if a signal ended the process.
fn exit_code(status: ExitStatus) -> i64 {
    let by_signal = status.signal().map(|signal| 128 + signal);
    status.code().or(by_signal).unwrap_or(-1).into()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
