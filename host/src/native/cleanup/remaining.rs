//! Names of leftovers: objects outside this process that it has registered for removal and not removed yet.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cleanup::pending::SubmitterId;

/// The submitter and the name of each leftover, by unique numbers.
static REMAINING: Mutex<BTreeMap<u64, (SubmitterId, String)>> = Mutex::new(BTreeMap::new());

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A guard of one leftover, which counts as removed when the guard is dropped.
#[derive(Debug)]
pub(crate) struct Remaining(u64);

impl Remaining {
    pub(crate) fn new(submitter: SubmitterId, what: String) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        remaining().insert(number, (submitter, what));
        Self(number)
    }

    pub(crate) fn name(&self) -> String {
        remaining().get(&self.0).map_or_else(String::new, |(_, what)| what.clone())
    }
}

impl Drop for Remaining {
    fn drop(&mut self) {
        remaining().remove(&self.0);
    }
}

/// Returns the names of the leftovers of `submitter`, or of all submitters if it is `None`, without duplicates:
/// `pod a, claim b`.
pub(crate) fn names(submitter: Option<SubmitterId>) -> String {
    let mut names = Vec::new();
    for (owner, what) in remaining().values() {
        if submitter.is_none_or(|submitter| submitter == *owner) && !names.contains(what) {
            names.push(what.clone());
        }
    }
    names.join(", ")
}

fn remaining() -> MutexGuard<'static, BTreeMap<u64, (SubmitterId, String)>> {
    REMAINING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_disappear_on_removal() {
        let (one, other) = (SubmitterId::new(), SubmitterId::new());
        let [pod, again, claim] = [(one, "pod a"), (one, "pod a"), (one, "claim b")]
            .map(|(submitter, what)| Remaining::new(submitter, what.to_owned()));
        let _of_other = Remaining::new(other, "pod c".to_owned());
        assert_eq!(
            (names(Some(one)), pod.name()),
            ("pod a, claim b".to_owned(), "pod a".to_owned())
        );
        drop((pod, again));
        assert_eq!(names(Some(one)), "claim b");
        assert!(names(None).contains("claim b, pod c"));
        drop(claim);
        assert_eq!(names(Some(one)), "");
    }
}
