//! The memory of workers, which the fork server reads regularly to kill those that use too much.
//!
//! A limit of the system (`RLIMIT_DATA`) counts writable memory only. Native code in a worker could write to memory, make
//! it read-only, and allocate more; or map so much that the page tables fill the machine.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::process::Pid;

/// The rate at which a worker fills memory at most, in bytes per second.
const RATE: u64 = 10 << 30;

/// The shortest and the longest time between two reads.
const INTERVAL: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(20)..=Duration::from_secs(1);

/// The fields of a process's status that count: memory without a file, reserved huge pages, swapped memory, and page
/// tables. Files don't count, even those in memory: the program has bounded the machine code and the arguments, and files
/// of the worker's directory use memory without being mapped.
const COUNTED: [&str; 4] = ["RssAnon:", "HugetlbPages:", "VmSwap:", "VmPTE:"];

/// The maximum size of a status, in bytes. It lists the groups of the process, of which a user may have hundreds, before its
/// memory. The kernel writes all of it at once.
const MAX_STATUS: usize = 1 << 20;

/// Returns the memory that this process uses, in bytes.
pub(super) fn of_this_process() -> io::Result<u64> {
    std::fs::read_to_string("/proc/self/status").map(|status| counted(&status))
}

/// The status of a process. It stays readable when the process hides its directory in `/proc`: where `/proc` is mounted with
/// `hidepid`, only processes that can be traced are shown, and workers can't be.
#[derive(Debug)]
pub(super) struct ProcessStatus(File);

impl ProcessStatus {
    /// Opens the status of a process that can still be traced.
    pub(super) fn open(process: Pid) -> io::Result<Self> {
        File::open(format!("/proc/{}/status", process.as_raw_nonzero())).map(Self)
    }

    /// Returns the memory that the process uses, in bytes.
    pub(super) fn memory(&self) -> io::Result<u64> {
        let mut bytes = vec![0; MAX_STATUS];
        let length = self.0.read_at(&mut bytes, 0)?;
        Ok(counted(&String::from_utf8_lossy(&bytes[..length])))
    }
}

impl AsRawFd for ProcessStatus {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Returns the time until a worker must be looked at that may use `left` bytes more.
pub(super) fn interval(left: u64) -> Duration {
    let until_exceeded = Duration::from_secs_f64(left as f64 / RATE as f64);
    until_exceeded.clamp(*INTERVAL.start(), *INTERVAL.end())
}

/// Returns the bytes of the counted fields. A process that has ended lacks them.
fn counted(status: &str) -> u64 {
    let size_of = |line: &str| {
        let size = COUNTED.iter().find_map(|field| line.strip_prefix(field))?;
        size.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    status.lines().filter_map(size_of).sum::<u64>().saturating_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_sum_of_what_is_no_file() {
        let status = "Name:\thype-worker\nVmRSS:\t  99 kB\nRssAnon:\t   4 kB\nRssFile:\t  90 kB\n\
                      RssShmem:\t  50 kB\nVmPTE:\t      20 kB\nVmSwap:\t     300 kB\n\
                      HugetlbPages:\t       1 kB\nThreads:\t1\n";
        assert_eq!(counted(status), 325 << 10);
        assert_eq!(counted("Name:\tx\nState:\tZ (zombie)\n"), 0);
        let this = ProcessStatus::open(rustix::process::getpid()).unwrap();
        for used in [of_this_process(), this.memory(), this.memory()] {
            assert!(used.unwrap() > 1 << 20);
        }
    }

    #[test]
    fn worker_near_its_bound_is_looked_at_more_often() {
        assert_eq!(interval(0), Duration::from_millis(20));
        assert_eq!(interval(1 << 30), Duration::from_millis(100));
        assert_eq!(interval(u64::MAX), Duration::from_secs(1));
    }
}
