//! Ends all descendants of this process, also those that changed their process group or outlived their parent: this
//! process is a subreaper, so that an orphaned descendant becomes its child.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, set_child_subreaper,
    waitid, waitpid,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::AbortHandle;

use super::process_table::{Listed, descendants, processes};
use super::watch::Watch;
use crate::output::GuestOutput;

/// The timeout for ending all processes. A process that waits for an unreachable disk can't be killed.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The interval at which the list of processes is read while killed processes end.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Adopts all processes that commands leave behind. Dropping it ends them.
pub(crate) struct Adoption {
    /// The commands themselves, whose exit status [`Started`](super::started::Started) reads.
    started: Arc<Mutex<HashSet<Pid>>>,
    waiting: AbortHandle,
    _watch: Watch,
}

impl Adoption {
    /// Begins to adopt processes and to limit their number. Writes to `output` when too many processes are killed.
    ///
    /// # Errors
    ///
    /// Returns the error of the system call that failed.
    pub(crate) fn begin(output: &GuestOutput) -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        let mut ends = signal(SignalKind::child())?;
        let started: Arc<Mutex<HashSet<Pid>>> = Arc::default();
        let theirs = Arc::clone(&started);
        let waiting = tokio::spawn(async move {
            while ends.recv().await.is_some() {
                wait_for_adopted(&theirs);
            }
        });
        let _watch = Watch::begin(output.clone())?;
        Ok(Self { started, waiting: waiting.abort_handle(), _watch })
    }

    /// Calls `start`, which starts a process and returns its number. The caller must wait for its end.
    pub(crate) fn besides<T, E>(
        &self,
        start: impl FnOnce() -> Result<(T, Pid), E>,
    ) -> Result<T, E> {
        // The lock prevents `wait_for_adopted` from reaping the process before it is in the set.
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, pid) = start()?;
        started.insert(pid);
        Ok(result)
    }
}

impl Drop for Adoption {
    fn drop(&mut self) {
        self.waiting.abort();
        if let Err(left) = end_all(processes(), true) {
            tracing::warn!("processes of commands are still there: {left:?}");
        }
    }
}

/// Reaps the adopted processes that have ended.
fn wait_for_adopted(started: &Mutex<HashSet<Pid>>) {
    let mut started = started.lock().unwrap_or_else(PoisonError::into_inner);
    let all = processes();
    let ours: HashSet<Pid> =
        all.iter().filter(|it| it.parent == getpid()).map(|it| it.pid).collect();
    started.retain(|pid| ours.contains(pid));
    for process in all.iter().filter(|it| it.has_ended && ours.contains(&it.pid)) {
        if !started.contains(&process.pid) {
            let _ = waitpid(Some(process.pid), WaitOptions::NOHANG);
        }
    }
}

/// Kills all descendants of this process. `all` is a first list of processes. Stops all of them before killing any,
/// so that none can start another one meanwhile. If `reaps`, also reaps them, and finds descendants that a list of
/// processes misses.
///
/// # Errors
///
/// Returns the processes that still run after [`END_TIMEOUT`].
pub(super) fn end_all(mut all: Vec<Listed>, reaps: bool) -> Result<(), Vec<Pid>> {
    let begun = Instant::now();
    let mut stopped = HashSet::new();
    loop {
        for process in all.iter().filter(|it| reaps && it.has_ended && it.parent == getpid()) {
            let _ = waitpid(Some(process.pid), WaitOptions::NOHANG);
        }
        let running: Vec<_> = descendants(&all, getpid()).iter().map(|it| it.pid).collect();
        if running.is_empty() && !(reaps && has_children()) {
            return Ok(());
        }
        if begun.elapsed() > END_TIMEOUT {
            return Err(running);
        }
        let others: Vec<_> =
            running.iter().filter(|pid| !stopped.contains(*pid)).copied().collect();
        if others.is_empty() {
            for pid in running {
                let _ = kill_process(pid, Signal::KILL);
            }
            stopped.clear();
            std::thread::sleep(POLL_INTERVAL);
        }
        for pid in others {
            let _ = kill_process(pid, Signal::STOP);
            stopped.insert(pid);
        }
        all = processes();
    }
}

/// Returns whether this process has children, and thus any descendants, since orphaned ones become its children.
/// A list of processes may miss one that was created while the list was read.
fn has_children() -> bool {
    let any = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::All, any), Err(Errno::CHILD))
}
