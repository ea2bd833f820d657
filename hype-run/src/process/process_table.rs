//! The processes that `/proc` lists.

use std::collections::HashSet;

use rustix::process::Pid;

/// A process in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) pid: Pid,
    pub(super) parent: Pid,
    pub(super) has_ended: bool,
    /// The number of threads of the process.
    pub(super) threads: u64,
}

/// Returns the processes of `all` that run and descend from `ancestor`.
pub(super) fn descendants(all: &[Listed], ancestor: Pid) -> Vec<Listed> {
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
    running.filter(|it| found.contains(&it.pid)).copied().collect()
}

/// Returns all processes in this process's PID namespace.
pub(super) fn processes() -> Vec<Listed> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // The process may have ended since the directory was read.
    let read = |pid: i32| listed(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    numbers.filter_map(read).collect()
}

/// Parses the line of `/proc/PID/stat`. The name of the process is in parentheses, and can contain any characters.
fn listed(stat: &str) -> Option<Listed> {
    let pid = stat.split(' ').next()?.parse().ok()?;
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
    let (state, parent) = (rest.next()?, rest.next()?.parse().ok()?);
    let threads = rest.nth(15)?.parse().ok()?;
    // The kernel reports a parent in another PID namespace as 0.
    Some(Listed {
        pid: Pid::from_raw(pid)?,
        parent: Pid::from_raw(parent)?,
        has_ended: ["Z", "X"].contains(&state),
        threads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields after the parent's number, for a process with three threads.
    const FIELDS: &str = " 12 12 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 3 0 8";

    fn pid(pid: i32) -> Pid {
        Pid::from_raw(pid).unwrap()
    }

    #[test]
    fn process_name_may_contain_any_characters() {
        let process = listed(&format!("12 (a) Z 1 (b)) S 7{FIELDS}")).unwrap();
        assert_eq!(process, Listed { pid: pid(12), parent: pid(7), has_ended: false, threads: 3 });
        assert!(listed(&format!("12 (a) Z 7{FIELDS}")).unwrap().has_ended);
        for none in ["", "12", "12 (a)", "12 (a) S", &format!("2 (kthreadd) S 0{FIELDS}")] {
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
            threads: 1,
        });
        let of =
            |ancestor| descendants(&all, pid(ancestor)).iter().map(|it| it.pid).collect::<Vec<_>>();
        assert_eq!(of(2), [pid(5), pid(3)]);
        assert_eq!(of(5), []);
    }
}
