//! The names of objects below a stage's prefix.
//!
//! ```text
//! blobs/BLAKE3                     components and files: immutable, shared by all runs
//! runs/RUN/manifest                the RunManifest
//! runs/RUN/arguments               the arguments, when they are too large for the manifest
//! runs/RUN/lease                   the Lease, while the run goes on or when it is detached
//! runs/RUN/outcome                 the run's one Outcome; the first that is written stays
//! runs/RUN/attempts/N/outcome      an attempt that ended before the function could
//! runs/RUN/attempts/N/result       the value, when it is too large for the outcome
//! runs/RUN/attempts/N/log          what the guest wrote, when it is too much for the outcome
//! clock                            written by each collection, to see what time the store has
//! ```

use crate::digest::Digest;

/// The prefix of all blobs.
pub const BLOBS: &str = "blobs";

/// The prefix of all runs.
pub const RUNS: &str = "runs";

/// What is written to see what time the store has.
pub const CLOCK: &str = "clock";

/// The immutable object with this digest.
pub fn blob(digest: &Digest) -> String {
    format!("blobs/{digest}")
}

/// The prefix of everything that belongs to one run.
pub fn run(run_id: &str) -> String {
    format!("runs/{run_id}")
}

/// A run's manifest.
pub fn manifest(run_id: &str) -> String {
    format!("runs/{run_id}/manifest")
}

/// A run's arguments.
pub fn arguments(run_id: &str) -> String {
    format!("runs/{run_id}/arguments")
}

/// A run's lease.
pub fn lease(run_id: &str) -> String {
    format!("runs/{run_id}/lease")
}

/// A run's one outcome.
pub fn outcome(run_id: &str) -> String {
    format!("runs/{run_id}/outcome")
}

/// The outcome of an attempt that the function had no part in.
pub fn attempt_outcome(run_id: &str, attempt: u32) -> String {
    format!("runs/{run_id}/attempts/{attempt}/outcome")
}

/// The value that an attempt gave.
pub fn result(run_id: &str, attempt: u32) -> String {
    format!("runs/{run_id}/attempts/{attempt}/result")
}

/// All that the guest of an attempt wrote.
pub fn log(run_id: &str, attempt: u32) -> String {
    format!("runs/{run_id}/attempts/{attempt}/log")
}

/// The digest in the name of a blob.
pub fn split_blob(name: &str) -> Option<Digest> {
    name.strip_prefix("blobs/")?.parse().ok()
}

/// The run that an object of this name belongs to.
pub fn split_run(name: &str) -> Option<&str> {
    name.strip_prefix("runs/")?.split_once('/').map(|(run_id, _)| run_id)
}

/// Whether `text` can name a run: 1 to 63 lower-case letters, digits and `-`, as Kubernetes has it.
pub fn is_run_id(text: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(is_fine)
}

/// The stage's URL and the run's name, from the URL of a manifest.
pub fn split_manifest(url: &str) -> Option<(&str, &str)> {
    let run = url.strip_suffix("/manifest")?;
    let (stage, run_id) = run.rsplit_once("/runs/")?;
    (!run_id.is_empty() && !run_id.contains('/')).then_some((stage, run_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_is_no_path() {
        assert!(is_run_id("hype-run-7f3k"));
        for text in ["", "..", "a/b", "A", "a b", &"a".repeat(64)] {
            assert!(!is_run_id(text), "{text}");
        }
    }

    #[test]
    fn a_manifest_tells_its_stage() {
        let url = format!("gs://bucket/some/prefix/{}", manifest("r-1"));
        assert_eq!(split_manifest(&url), Some(("gs://bucket/some/prefix", "r-1")));
        assert_eq!(split_manifest("gs://bucket/manifest"), None);
        assert_eq!(split_manifest("gs://bucket/runs//manifest"), None);
        assert_eq!(split_manifest("gs://bucket/runs/r-1/outcome"), None);
    }
}
