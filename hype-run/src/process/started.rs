//! A process that this one started. It is reaped by the first call that finds that it has ended; until then its PID is
//! not reused.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, waitpid};

use super::calls::ExitStatus;

/// A started process, which leads its process group.
pub(super) struct Started {
    pid: Pid,
    end: Mutex<Option<ExitStatus>>,
}

impl Started {
    pub(super) fn new(pid: Pid) -> Self {
        Self { pid, end: Mutex::new(None) }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns the exit status of the process, or `None` while it runs.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.record(WaitOptions::NOHANG)
    }

    /// Waits for the end of the process. The caller must have killed it.
    pub(super) fn wait(&self) {
        self.record(WaitOptions::empty());
    }

    /// Kills the process group, unless the process has been reaped.
    pub(super) fn kill(&self) {
        if self.end().is_none() {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    fn record(&self, options: WaitOptions) -> Option<ExitStatus> {
        let mut end = self.end();
        if end.is_none() {
            *end = match rustix::io::retry_on_intr(|| waitpid(Some(self.pid), options)) {
                Ok(ended) => ended.map(|(_, status)| ended_with(status)),
                // Another part of this program has reaped the process, and has its status.
                Err(_) => Some(ExitStatus::Signaled(0)),
            };
        }
        *end
    }

    fn end(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ended_with(status: WaitStatus) -> ExitStatus {
    match status.exit_status() {
        Some(code) => ExitStatus::Exited(code),
        None => ExitStatus::Signaled(status.terminating_signal().unwrap_or_default()),
    }
}
