//! The properties of the room in which commands run on this machine.

use super::identity::Identity;
use super::isolation::CommandRoom;
use super::landlock_rules;
use super::memory_group::MemoryGroup;
use super::place::{check_namespaces, empty_room};

impl CommandRoom {
    /// Creates an empty room on this machine, and returns its properties.
    pub fn of_this_machine() -> Self {
        let room = empty_room();
        Self {
            refusal: check_namespaces().err(),
            is_nobodys: Identity::of_commands().is_dropped,
            has_proc: room.is_ok_and(|room| room.path("proc/1").exists()),
            has_memory_group: MemoryGroup::create(1 << 20).is_some(),
            landlock: landlock_rules::version(),
        }
    }
}
