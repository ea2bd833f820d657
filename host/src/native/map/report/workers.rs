//! The numbers of workers in the report of a map that several programs have run, each of which counts its own from 0.

use std::collections::HashMap;

use super::timeline::MAX_WORKERS;

/// The workers of all programs of a map, numbered in the order in which they are first seen.
#[derive(Debug, Default)]
pub(crate) struct Workers(HashMap<(Program, u32), u32>);

#[derive(Debug, PartialEq, Eq, Hash)]
enum Program {
    Own,
    /// Another program, by its number in the results of its items.
    Other(u64),
}

impl Workers {
    /// Returns the number of a worker of this program.
    pub(super) fn own(&mut self, worker: u32) -> u32 {
        self.number(Program::Own, worker)
    }

    /// Returns the number of a worker of another program. Workers that the timeline has no room for have none.
    pub(crate) fn of_program(&mut self, program: u64, worker: u32) -> Option<u32> {
        let key = (Program::Other(program), worker);
        let has_room = self.0.len() < MAX_WORKERS || self.0.contains_key(&key);
        has_room.then(|| self.number(key.0, worker))
    }

    fn number(&mut self, program: Program, worker: u32) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry((program, worker)).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_of_programs_have_different_numbers() {
        let mut workers = Workers::default();
        assert_eq!(workers.of_program(7, 1), Some(0));
        assert_eq!((workers.own(1), workers.own(0)), (1, 2));
        assert_eq!(workers.of_program(8, 1), Some(3));
        assert_eq!((workers.own(1), workers.of_program(7, 1)), (1, Some(0)));
    }

    #[test]
    fn number_of_known_workers_is_bounded() {
        let mut workers = Workers::default();
        let numbered = (0..5000).filter(|it| workers.of_program(*it, 0).is_some()).count();
        assert_eq!(numbered, MAX_WORKERS);
        assert_eq!(workers.of_program(3, 0), Some(3));
    }
}
