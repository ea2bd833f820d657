//! The user and group of commands in a room.

use rustix::process::{getegid, geteuid};

/// The ID of the user `nobody`, and of its group.
const NOBODY: u32 = 65534;

/// The user and group of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether this process runs as root, and commands run as `nobody`.
    pub(super) is_dropped: bool,
}

impl Identity {
    /// Returns the identity of commands in a room: the user of this process, or `nobody` instead of root. If the user
    /// namespace of this process has no `nobody`, its root is an ordinary user outside, and is kept.
    pub(super) fn of_commands() -> Self {
        let has_nobody =
            |map: &str| std::fs::read_to_string(map).is_ok_and(|map| maps_nobody(&map));
        let maps = ["/proc/self/uid_map", "/proc/self/gid_map"];
        if geteuid().is_root() && maps.into_iter().all(has_nobody) {
            return Self { uid: NOBODY, gid: NOBODY, is_dropped: true };
        }
        Self { uid: geteuid().as_raw(), gid: getegid().as_raw(), is_dropped: false }
    }

    /// Returns the maps of users and groups for the user namespace of a room. They contain root too if `is_dropped`,
    /// since root then owns the closure's files.
    pub(super) fn maps(self) -> [String; 2] {
        [self.uid, self.gid].map(|id| match self.is_dropped {
            true => format!("0 0 1\n{id} {id} 1\n"),
            false => format!("{id} {id} 1\n"),
        })
    }
}

/// Returns whether commands in a room run as `nobody`, since this process runs as root.
pub(crate) fn are_nobodys() -> bool {
    Identity::of_commands().is_dropped
}

/// Returns whether a map of users or groups, in the format of `/proc/PID/uid_map`, contains the ID of `nobody`.
fn maps_nobody(map: &str) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(first)), Some(_), Some(Ok(count))) => {
                (first..first.saturating_add(count)).contains(&NOBODY.into())
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_map_with_nobody_is_recognised() {
        for map in ["         0          0 4294967295\n", "0 1000 1\n1 100000 65536\n"] {
            assert!(maps_nobody(map), "{map}");
        }
        for map in ["", "0 1000 1\n", "0 0 65534\n", "a b c\n"] {
            assert!(!maps_nobody(map), "{map}");
        }
    }

    #[test]
    fn dropped_identity_maps_root_and_nobody() {
        let root = Identity { uid: NOBODY, gid: NOBODY, is_dropped: true };
        assert_eq!(root.maps(), ["0 0 1\n65534 65534 1\n", "0 0 1\n65534 65534 1\n"]);
        let user = Identity { uid: 1000, gid: 100, is_dropped: false };
        assert_eq!(user.maps(), ["1000 1000 1\n", "100 100 1\n"]);
    }
}
