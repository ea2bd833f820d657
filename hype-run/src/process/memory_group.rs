//! A control group that bounds the memory of all commands of a room together, where this user can create one. A limit
//! of the kind that `setrlimit` sets bounds each process alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The prefix of the groups' names: the process id of their creator and a number follow.
const PREFIX: &str = "hype-commands-";

/// A control group. Dropping it removes it; its processes must have ended.
pub(super) struct MemoryGroup {
    directory: PathBuf,
    processes: File,
}

impl MemoryGroup {
    /// Creates a group whose processes can use `bytes` of memory together, files in a `tmpfs` included. Returns `None`
    /// if this user cannot create one.
    pub(super) fn create(bytes: u64) -> Option<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        parent().as_ref()?.create(&name, bytes).ok()
    }

    /// Returns the descriptor of a file: a process that writes `0` to it joins the group.
    pub(super) fn processes(&self) -> RawFd {
        self.processes.as_raw_fd()
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // The next process that creates groups removes one that is left.
        let _ = fs::remove_dir(&self.directory);
    }
}

/// A group in which this user may create groups.
#[derive(Debug, PartialEq)]
struct Parent {
    directory: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Version {
    V1,
    V2,
}

/// Returns the group in which this process creates groups. The first call removes the groups of processes that ended
/// without cleanup.
fn parent() -> &'static Option<Parent> {
    static PARENT: OnceLock<Option<Parent>> = OnceLock::new();
    PARENT.get_or_init(|| {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        let parent = find(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))?;
        parent.remove_orphans();
        parent.can_limit_memory().then_some(parent)
    })
}

impl Parent {
    fn create(&self, name: &str, bytes: u64) -> io::Result<MemoryGroup> {
        let directory = self.directory.join(name);
        fs::create_dir(&directory)?;
        let processes = self
            .limit(&directory, bytes)
            .and_then(|()| OpenOptions::new().write(true).open(directory.join("cgroup.procs")));
        match processes {
            Ok(processes) => Ok(MemoryGroup { directory, processes }),
            Err(error) => {
                let _ = fs::remove_dir(&directory);
                Err(error)
            }
        }
    }

    fn limit(&self, group: &Path, bytes: u64) -> io::Result<()> {
        let file = match self.version {
            Version::V1 => "memory.limit_in_bytes",
            Version::V2 => "memory.max",
        };
        write(&group.join(file), &bytes.to_string())?;
        // Without this file, the kernel doesn't count swap for groups.
        let _ = write(&group.join("memory.swap.max"), "0");
        Ok(())
    }

    /// Returns whether the groups in this one have a limit of their memory.
    fn can_limit_memory(&self) -> bool {
        let enabled = fs::read_to_string(self.directory.join("cgroup.subtree_control"));
        match self.version {
            Version::V1 => true,
            Version::V2 => enabled.is_ok_and(|it| it.split_whitespace().any(|it| it == "memory")),
        }
    }

    /// Removes the groups of processes that have ended. The kernel rejects the removal of a group with processes.
    fn remove_orphans(&self) {
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let creator = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
            let creator = creator.and_then(|rest| rest.split_once('-')).map(|(pid, _)| pid);
            let is_pid = |pid: &&str| pid.parse::<u32>().is_ok();
            if let Some(pid) = creator.filter(is_pid)
                && !Path::new("/proc").join(pid).exists()
            {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

/// Returns the group for new groups, from the contents of `/proc/self/cgroup` and `/proc/self/mountinfo`.
///
/// In version 1, it is the group of this process. In version 2, a group with processes can't have limited groups in it,
/// except for the root; so it is the parent of that group.
fn find(groups: &str, mounts: &str) -> Option<Parent> {
    let has_memory = |list: &str| list.split(',').any(|it| it == "memory");
    let mut groups = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let (controllers, path) = groups
        .clone()
        .find(|(controllers, _)| has_memory(controllers))
        .or_else(|| groups.find(|(controllers, _)| controllers.is_empty()))?;
    let version = if controllers.is_empty() { Version::V2 } else { Version::V1 };
    mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut file_system = file_system.split(' ');
        let (kind, options) = (file_system.next()?, file_system.nth(1)?);
        let is_it = match version {
            Version::V1 => kind == "cgroup" && has_memory(options),
            Version::V2 => kind == "cgroup2",
        };
        let below = Path::new(path).strip_prefix(root).ok().filter(|_| is_it)?;
        let own: PathBuf = Path::new(point).join(below).components().collect();
        let is_root = below.as_os_str().is_empty();
        let directory = match version {
            Version::V2 if !is_root => own.parent()?.to_owned(),
            _ => own,
        };
        Some(Parent { directory, version })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(groups: &str, mounts: &str) -> Option<(String, Version)> {
        let parent = find(groups, mounts)?;
        Some((parent.directory.to_str().unwrap().to_owned(), parent.version))
    }

    #[test]
    fn sibling_of_own_group_is_created_in_version_2() {
        let mounts = "23 28 0:21 / /proc rw - proc proc rw\n\
            30 28 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let groups = "0::/user.slice/user-1.slice/user@1.service/app.slice/app-term.scope\n";
        let directory = "/sys/fs/cgroup/user.slice/user-1.slice/user@1.service/app.slice";
        assert_eq!(found(groups, mounts), Some((directory.to_owned(), Version::V2)));
        assert_eq!(found("0::/\n", mounts), Some(("/sys/fs/cgroup".to_owned(), Version::V2)));
    }

    #[test]
    fn child_of_own_group_is_created_in_version_1() {
        let mounts = "1 1 0:1 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
            2 1 0:2 / /sys/fs/cgroup/memory rw shared:3 - cgroup cgroup rw,memory\n\
            3 1 0:3 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let groups = "8:pids:/\n4:cpu,memory:/job/1\n0::/\n";
        let directory = "/sys/fs/cgroup/memory/job/1".to_owned();
        assert_eq!(found(groups, mounts), Some((directory, Version::V1)));
    }

    #[test]
    fn nothing_is_found_without_mount() {
        let mounts = "1 1 0:1 /other /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(found("0::/job\n", mounts), None);
        assert_eq!(found("0::/job\n", ""), None);
        assert_eq!(found("", mounts), None);
    }
}
