//! A runner of one's own: each attempt is a child process, `hype-run`.
//!
//! A runner for a batch system looks alike: it builds a [`Process`] from the attempt, gives it to the
//! system, and translates its end to a [`ProcessEnd`]. The tests run hype's whole conformance suite on it.

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
    Attempt, Description, HostMounts, Log, Mount, Owned, Plan, PlanRequest, Process, ProcessEnd,
    ProcessExit, Proof, RunKey, Runner, Subject, Voucher, check_commands, is_driven_here,
};
use hype::stage::Removal;
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

/// The children that run, by the names of their runs: what stops one, and tells when it is gone.
type Children = Mutex<HashMap<String, (watch::Sender<bool>, watch::Receiver<()>)>>;

impl ChildRunner {
    /// Returns a runner that starts the program `hype_run`.
    pub fn new(hype_run: impl Into<PathBuf>) -> Self {
        let mounts = Arc::new(HostMounts::of_user("ChildRunner"));
        Self { hype_run: hype_run.into(), mounts, children: Arc::default() }
    }

    /// Keeps volumes below `volumes`, and looks for secrets below `secrets`.
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

    /// Stops the child of a run, if there is one, and waits until it is gone.
    async fn stop(children: Arc<Children>, run_id: String) {
        let child = lock(&children).remove(&run_id);
        if let Some((stop, mut gone)) = child {
            stop.send_replace(true);
            // An error says that it is gone.
            let _ = gone.changed().await;
        }
    }
}

impl Runner for ChildRunner {
    fn description(&self) -> Description {
        Description { place: "in a child process".to_owned(), outlives_program: false }
    }

    fn plan<'a>(&'a self, _: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(ready(Ok(Plan::on_this_machine())))
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        owned: &'a Owned,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        Box::pin(ready(check_commands(env).and_then(|()| self.mounts.mounts(env, owned))))
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Voucher>> {
        let (runner, process) = (self.clone(), Process::of(&attempt));
        Box::pin(async move {
            let (stop, stopped) = watch::channel(false);
            let (here, gone) = watch::channel(());
            lock(&runner.children).insert(process.run_id.clone(), (stop, gone));
            let stopping = ChildRunner::stop(Arc::clone(&runner.children), process.run_id.clone());
            process.owned.enter(format!("process {}", process.name), async move {
                stopping.await;
                Ok(())
            });
            let child = Child::of(&process, &runner.hype_run);
            // In a task of its own, so that the child is waited for even if nobody waits for the run. It must
            // not hold the cleanup list, whose last handle stops it.
            let running = tokio::spawn(async move {
                let _here = here;
                child.run(stopped).await
            });
            let end = running.await.map_err(|error| Error::runner("a task broke down", error))?;
            lock(&runner.children).remove(&process.run_id);
            let what = format!("process {}", process.name);
            let mut subject = Subject::process(&process.run_id, &what);
            subject.last_lines = process.log.last(5);
            subject.judge(end)
        })
    }

    fn looks_in(&self, _: &str) -> bool {
        false
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

    fn follow(&self, _: &str, _: Log) -> BoxFuture<'static, ()> {
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
        removal: Removal,
        _: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(ready(self.mounts.collect(removal)))
    }
}

/// A child process that is to be started.
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

    /// Runs it to its end, or until it is stopped.
    async fn run(self, stopped: watch::Receiver<bool>) -> ProcessEnd {
        match self.run_to_end(stopped).await {
            Ok(exit) => ProcessEnd::Exited(exit),
            Err(error) => {
                ProcessEnd::NeverStarted(Error::runner("cannot run hype-run as a child", error))
            }
        }
    }

    async fn run_to_end(mut self, mut stopped: watch::Receiver<bool>) -> io::Result<ProcessExit> {
        // Only this user can look into it, and no closure is shown it.
        let directory = tempfile::tempdir()?;
        let told = directory.path().join("termination-log");
        self.invocation.key = Some(KeySource::StandardInput);
        self.invocation.termination_log = Some(told.clone());
        self.invocation.isolates_commands = true;
        let mut child = self.command.args(self.invocation.to_args()).spawn()?;
        let mut key = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        key.write_all(format!("{}\n", self.key.reveal()).as_bytes()).await?;
        drop(key);
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let output = futures::future::join(
            hand_on(out, &self.log, LogStream::Stdout),
            hand_on(err, &self.log, LogStream::Stderr),
        );
        let ended = async {
            // Both pipes end with the process, and nothing is lost of what it wrote.
            output.await;
            child.wait().await
        };
        let status = tokio::select! {
            status = ended => Some(status?),
            // An error says that nobody can stop it any more.
            Ok(_) = stopped.wait_for(|stopped| *stopped) => None,
        };
        let Some(status) = status else {
            child.kill().await?;
            let mut exit = ProcessExit::of_status(137);
            exit.stopped_by = Some(format!("process {} was stopped", self.name));
            return Ok(exit);
        };
        let mut exit = ProcessExit::of_status(code(status));
        let told = tokio::fs::read_to_string(told).await.unwrap_or_default();
        exit.line = told.lines().next().and_then(|line| line.parse().ok());
        Ok(exit)
    }
}

/// Writes what the child writes to `log`.
async fn hand_on(pipe: Option<impl AsyncRead + Unpin>, log: &Log, stream: LogStream) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 << 10];
    // An error is the end of the pipe, too.
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        log.write(stream, &buffer[..read]);
    }
}

fn code(status: ExitStatus) -> i64 {
    let by_signal = status.signal().map(|signal| 128 + signal);
    status.code().or(by_signal).unwrap_or(-1).into()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
