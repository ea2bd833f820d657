//! The choice of a worker for a call, without I/O.

use hype_wire::Digest;

/// The workers of a pool and the calls that wait for one.
#[derive(Debug)]
pub(super) struct State<W> {
    /// The least recently used worker is the first.
    pub(super) idle: Vec<(Digest, W)>,
    /// The number of workers, idle ones included.
    pub(super) live: usize,
    /// The number of calls that wait for a worker.
    pub(super) waiting: usize,
}

/// The next step of a call that needs a worker.
#[derive(Debug, PartialEq)]
pub(super) enum Step<W> {
    Use(W),
    /// Fork a worker, in place of this one.
    Fork(Option<W>),
    Wait,
}

impl<W> Default for State<W> {
    fn default() -> Self {
        Self { idle: Vec::new(), live: 0, waiting: 0 }
    }
}

impl<W> State<W> {
    /// Chooses the next step of a call of the job `key`.
    pub(super) fn choose(&mut self, key: &Digest, kept: usize, is_patient: bool) -> Step<W> {
        if let Some(index) = self.idle.iter().rposition(|(job, _)| job == key) {
            return Step::Use(self.idle.remove(index).1);
        }
        if self.live >= kept && !self.idle.is_empty() {
            // The least recently used worker of another job gives way.
            return Step::Fork(Some(self.idle.remove(0).1));
        }
        if self.live >= kept && is_patient {
            return Step::Wait;
        }
        self.live += 1;
        Step::Fork(None)
    }

    /// Keeps an idle worker, or returns it to be dropped.
    pub(super) fn release(&mut self, key: Digest, worker: W, kept: usize) -> Option<W> {
        if self.live > kept && self.waiting == 0 {
            self.live -= 1;
            return Some(worker);
        }
        self.idle.push((key, worker));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: usize = 2;

    fn key(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    #[test]
    fn worker_of_the_same_job_is_used() {
        let mut state = State { idle: vec![(key("a"), 1), (key("b"), 2)], live: 2, waiting: 0 };
        assert_eq!(state.choose(&key("a"), KEPT, true), Step::Use(1));
        assert_eq!(state.choose(&key("b"), KEPT, true), Step::Use(2));
        assert_eq!(state.live, 2);
    }

    #[test]
    fn worker_of_another_job_gives_way_when_all_are_taken() {
        let mut state = State { idle: vec![(key("a"), 1)], live: 1, waiting: 0 };
        assert_eq!(state.choose(&key("b"), KEPT, true), Step::Fork(None));
        assert_eq!(state.choose(&key("b"), KEPT, true), Step::Fork(Some(1)));
        assert_eq!(state.live, 2);
    }

    #[test]
    fn call_waits_before_it_gets_an_additional_worker() {
        let mut state: State<u32> = State { live: KEPT, ..State::default() };
        assert_eq!(state.choose(&key("a"), KEPT, true), Step::Wait);
        assert_eq!(state.choose(&key("a"), KEPT, false), Step::Fork(None));
        assert_eq!(state.live, KEPT + 1);
    }

    #[test]
    fn additional_worker_ends_when_no_call_waits() {
        let mut state = State { live: KEPT + 1, waiting: 1, ..State::default() };
        assert_eq!(state.release(key("a"), 1, KEPT), None);
        state.waiting = 0;
        assert_eq!(state.release(key("a"), 2, KEPT), Some(2));
        assert_eq!(state.release(key("a"), 3, KEPT), None);
        assert_eq!((state.live, state.idle.len()), (KEPT, 2));
    }
}
