//! The ends of worker processes, which only the fork server sees as their parent.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of ends that the fork server keeps. A program asks for an end right after it.
const MAX_ENDS: usize = 64;

/// The status of a process that panicked.
pub(super) const PANICKED: i32 = 101;

const SIGKILL: i32 = 9;

/// The end of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum WorkerEnd {
    /// The process exited with this status.
    Exited(i32),
    /// This signal killed the process.
    Killed(i32),
    /// The fork server killed the process, since it used more than this number of bytes.
    OverMemory(u64),
}

impl fmt::Display for WorkerEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(PANICKED) => write!(f, "the worker process panicked"),
            Self::Exited(status) => write!(f, "the worker process exited with status {status}"),
            Self::Killed(SIGKILL) => write!(
                f,
                "the worker process was killed by signal 9; the machine may lack memory: lower the \
                 memory limit or the number of concurrent closures"
            ),
            Self::Killed(signal) => {
                write!(f, "the worker process was killed by signal {signal}")
            }
            Self::OverMemory(bytes) => {
                write!(f, "the worker process used more than {} MiB of memory", bytes >> 20)
            }
        }
    }
}

/// The last ends of workers, by the numbers of the workers.
#[derive(Debug, Default)]
pub(super) struct LastEnds(VecDeque<(u64, WorkerEnd)>);

impl LastEnds {
    /// Adds the end of a worker, and drops the oldest one if there are too many.
    pub(super) fn add(&mut self, worker: u64, end: WorkerEnd) {
        if self.0.len() == MAX_ENDS {
            self.0.pop_front();
        }
        self.0.push_back((worker, end));
    }

    pub(super) fn of(&self, worker: u64) -> Option<WorkerEnd> {
        self.0.iter().find(|(number, _)| *number == worker).map(|(_, end)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_ends_are_kept() {
        let mut ends = LastEnds::default();
        for worker in 0..70 {
            ends.add(worker, WorkerEnd::Killed(worker as i32));
        }
        assert_eq!(ends.of(5), None);
        assert_eq!(ends.of(6), Some(WorkerEnd::Killed(6)));
        assert_eq!(ends.of(69), Some(WorkerEnd::Killed(69)));
    }

    #[test]
    fn end_names_its_signal() {
        assert!(WorkerEnd::Killed(9).to_string().contains("may lack memory"));
        assert!(WorkerEnd::Killed(11).to_string().ends_with("killed by signal 11"));
        assert!(WorkerEnd::Exited(101).to_string().ends_with("panicked"));
    }
}
