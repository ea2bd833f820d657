//! The end of all processes that this one started, and of those that they started in turn, however they left their
//! groups and parents: whoever's parent ends becomes a child of this process.

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

/// How long to try. A process that waits for a disk that is gone can't be ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long an end takes that was just brought about.
const MOMENT: Duration = Duration::from_millis(1);

/// Processes that others leave behind are this one's, and have ended when this is dropped.
pub(crate) struct Adoption {
    /// Those that somebody else in this process waits for.
    started: Arc<Mutex<HashSet<Pid>>>,
    waiting: AbortHandle,
}

impl Adoption {
    /// Takes them in from now on.
    ///
    /// # Errors
    ///
    /// When the system refuses it.
    pub(crate) fn begin() -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        let mut ends = signal(SignalKind::child())?;
        let started: Arc<Mutex<HashSet<Pid>>> = Arc::default();
        let theirs = Arc::clone(&started);
        let waiting = tokio::spawn(async move {
            while ends.recv().await.is_some() {
                wait_for_adopted(&theirs);
            }
        });
        Ok(Self { started, waiting: waiting.abort_handle() })
    }

    /// Does what `start` does, which gives the process that it started, whose end somebody else waits for.
    pub(crate) fn besides<T, E>(
        &self,
        start: impl FnOnce() -> Result<(T, Pid), E>,
    ) -> Result<T, E> {
        // Nobody waits for its end before it is known that others do.
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, pid) = start()?;
        started.insert(pid);
        Ok(result)
    }
}

impl Drop for Adoption {
    fn drop(&mut self) {
        self.waiting.abort();
        if let Err(left) = end_all() {
            tracing::warn!("processes of commands are still there: {left:?}");
        }
    }
}

/// Takes note of the ends of those that nobody waits for.
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

/// Ends all descendants of this process, those first stopped that could make others meanwhile.
fn end_all() -> Result<(), Vec<Pid>> {
    let begun = Instant::now();
    let mut stopped = HashSet::new();
    loop {
        let all = processes();
        for process in all.iter().filter(|it| it.has_ended && it.parent == getpid()) {
            let _ = waitpid(Some(process.pid), WaitOptions::NOHANG);
        }
        let running = descendants(&all, getpid());
        if running.is_empty() && !has_children() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(running);
        }
        let others: Vec<_> =
            running.iter().filter(|pid| !stopped.contains(*pid)).copied().collect();
        if others.is_empty() {
            for pid in running {
                let _ = kill_process(pid, Signal::KILL);
            }
            stopped.clear();
            std::thread::sleep(MOMENT);
        }
        for pid in others {
            let _ = kill_process(pid, Signal::STOP);
            stopped.insert(pid);
        }
    }
}

/// Whether there are any descendants: those whose parents have ended are children, too. A list of processes can't
/// tell, since one may make another and end while that is read.
fn has_children() -> bool {
    let any = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::All, any), Err(Errno::CHILD))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listed {
    pid: Pid,
    parent: Pid,
    has_ended: bool,
}

/// Those of `all` that descend from `ancestor` and run.
fn descendants(all: &[Listed], ancestor: Pid) -> Vec<Pid> {
    let mut found = HashSet::from([ancestor]);
    loop {
        let before = found.len();
        found.extend(
            all.iter().filter(|it| found.contains(&it.parent)).map(|it| it.pid).collect::<Vec<_>>(),
        );
        if found.len() == before {
            break;
        }
    }
    let running = all.iter().filter(|it| !it.has_ended && it.pid != ancestor);
    running.map(|it| it.pid).filter(|pid| found.contains(pid)).collect()
}

/// All processes that there are.
fn processes() -> Vec<Listed> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // One that is gone meanwhile has no such file.
    let read = |pid: i32| listed(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    numbers.filter_map(read).collect()
}

/// A process from its line in `/proc/PID/stat`. Its name, in parentheses, may be anything.
fn listed(stat: &str) -> Option<Listed> {
    let pid = stat.split(' ').next()?.parse().ok()?;
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
    let (state, parent) = (rest.next()?, rest.next()?.parse().ok()?);
    // Those of other namespaces have the parent 0.
    Some(Listed {
        pid: Pid::from_raw(pid)?,
        parent: Pid::from_raw(parent)?,
        has_ended: ["Z", "X"].contains(&state),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(pid: i32) -> Pid {
        Pid::from_raw(pid).unwrap()
    }

    #[test]
    fn a_name_may_be_anything() {
        let process = listed("12 (a) Z 1 (b)) S 7 12 12 0 -1").unwrap();
        assert_eq!(process, Listed { pid: pid(12), parent: pid(7), has_ended: false });
        assert!(listed("12 (a) Z 7 12").unwrap().has_ended);
        for none in ["", "12", "12 (a)", "12 (a) S", "2 (kthreadd) S 0 0 0"] {
            assert_eq!(listed(none), None, "{none}");
        }
    }

    #[test]
    fn descendants_are_found_in_any_order() {
        let all = [(5, 4, false), (4, 3, true), (3, 2, false), (6, 1, false), (2, 1, false)];
        let all = all.map(|(it, parent, has_ended)| Listed {
            pid: pid(it),
            parent: pid(parent),
            has_ended,
        });
        assert_eq!(descendants(&all, pid(2)), [pid(5), pid(3)]);
        assert_eq!(descendants(&all, pid(5)), []);
    }
}
