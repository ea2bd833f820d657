//! Names of what hype makes.

use std::hash::{BuildHasher, RandomState};

/// Returns a new run's name, unique in a stage and good for a Pod: `hype-run-` and ten letters and digits.
pub(crate) fn new_run_id() -> String {
    unique_name("hype-run")
}

/// Returns `PREFIX-` and ten letters and digits, good for anything of Kubernetes'.
pub(crate) fn unique_name(prefix: &str) -> String {
    // Each `RandomState` has keys of its own, made of the system's random numbers.
    let number = RandomState::new().hash_one(std::process::id());
    let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
    let name = (0..10).map(|index| char::from(letters[(number >> (5 * index)) as usize % 32]));
    format!("{prefix}-{}", name.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_differ_and_name_pods() {
        let (one, other) = (new_run_id(), new_run_id());
        assert_ne!(one, other);
        assert_eq!(one.len(), "hype-run-".len() + 10);
        assert!(one.chars().all(|c| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit()));
    }
}
