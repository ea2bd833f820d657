//! A process that this one started. Its end is noted once, by whoever asks first: until then its number is its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, waitpid};

use super::calls::ExitStatus;

/// The first of a group of processes.
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

    /// How it ended, once it has.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.note(WaitOptions::NOHANG)
    }

    /// Waits for its end, which somebody has brought about.
    pub(super) fn wait(&self) {
        self.note(WaitOptions::empty());
    }

    /// Ends it at once, with its group.
    pub(super) fn kill(&self) {
        if self.end().is_none() {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    fn note(&self, options: WaitOptions) -> Option<ExitStatus> {
        let mut end = self.end();
        if end.is_none() {
            *end = match rustix::io::retry_on_intr(|| waitpid(Some(self.pid), options)) {
                Ok(ended) => ended.map(|(_, status)| ended_with(status)),
                // Another part of this program waited for it: it is gone, and how is lost.
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
