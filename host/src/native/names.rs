//! Unique names of runs, volumes and other objects.

use std::hash::{BuildHasher, RandomState};

use hype_wire::RunId;
use hype_wire::names::letters;

/// Returns a name for a new run, unique in a stage and valid for a Pod: `hype-run-` and ten letters and digits.
pub(crate) fn new_run_id() -> RunId {
    RunId::of_number(random_number())
}

/// Returns `PREFIX-` and ten letters and digits, valid for any Kubernetes object.
pub(crate) fn unique_name(prefix: &str) -> String {
    format!("{prefix}-{}", letters(random_number()))
}

fn random_number() -> u64 {
    // Each `RandomState` has different keys, derived from the system's random numbers.
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_unique_and_valid_pod_names() {
        let (one, other) = (new_run_id(), new_run_id());
        assert_ne!(one, other);
        assert_eq!(one.len(), "hype-run-".len() + 10);
        assert!(one.chars().all(|c| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit()));
    }
}
