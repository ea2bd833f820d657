//! The failures of a map by kind, with the first of each.

use hype_wire::printable;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The number of failures of each kind that are kept with their details.
const KEPT: usize = 3;

/// The maximum size of the details of one failure, in bytes.
const MAX_DETAILS: usize = 16 << 10;

/// The failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureGroup {
    /// The kind of the failure, such as `panic`, or of the error: `input`, `stage`, `runner`, `lost`.
    pub kind: String,
    /// The number of failed items.
    pub count: u64,
    /// The first failed items, at most 3.
    pub first: Vec<FailedItem>,
}

/// An item that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailedItem {
    /// The index of the item.
    pub item: u64,
    /// The worker that ran it; `None` if none did.
    pub worker: Option<u32>,
    /// The report of the error: message, causes, backtrace and hint.
    pub details: String,
}

/// The failure of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemFailure {
    /// The kind, see [`FailureGroup::kind`].
    pub kind: String,
    /// The report of the error: message, causes, backtrace and hint.
    pub details: String,
}

impl ItemFailure {
    /// Returns the failure of an item that ended with `error`.
    pub fn of(error: &Error) -> Self {
        let kind = match error.failure() {
            Some(failure) => failure.kind.to_string(),
            None => format!("{:?}", error.kind()).to_lowercase(),
        };
        Self { kind, details: shortened(&printable(&error.report())) }
    }
}

/// Adds the failure of an item.
pub(super) fn record(
    groups: &mut Vec<FailureGroup>,
    item: u64,
    worker: Option<u32>,
    failure: ItemFailure,
) {
    // The number of kinds is small: each is one of `FailureKind` or `ErrorKind`.
    let position =
        groups.iter().position(|group| group.kind == failure.kind).unwrap_or_else(|| {
            groups.push(FailureGroup { kind: failure.kind, count: 0, first: Vec::new() });
            groups.len() - 1
        });
    let group = &mut groups[position];
    group.count += 1;
    if group.first.len() < KEPT {
        group.first.push(FailedItem { item, worker, details: failure.details });
    }
}

fn shortened(details: &str) -> String {
    match details.len() {
        0..=MAX_DETAILS => details.to_owned(),
        size => {
            let end = details.floor_char_boundary(MAX_DETAILS);
            format!("{}\n… ({} bytes more)", &details[..end], size - end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_failures_of_each_kind_are_kept() {
        let mut groups = Vec::new();
        for item in 0..1000 {
            let kind = if item % 10 == 0 { "memory" } else { "panic" }.to_owned();
            let failure = ItemFailure { kind, details: item.to_string() };
            record(&mut groups, item, Some(1), failure);
        }
        let kept: Vec<_> = groups
            .iter()
            .map(|group| {
                let first: Vec<_> = group.first.iter().map(|failed| failed.item).collect();
                (group.kind.as_str(), group.count, first)
            })
            .collect();
        assert_eq!(kept, [("memory", 100, vec![0, 10, 20]), ("panic", 900, vec![1, 2, 3])]);
    }

    #[test]
    fn failure_has_causes_and_bounded_details() {
        let error = Error::lost("r-1", "the node is gone");
        let failure = ItemFailure::of(&error);
        assert_eq!(failure.kind, "lost");
        assert!(failure.details.contains("0: the node is gone"), "{}", failure.details);
        let endless = Error::input("ü".repeat(MAX_DETAILS));
        assert!(ItemFailure::of(&endless).details.len() < MAX_DETAILS + 50);
    }
}
