//! The names of objects below a stage's prefix.
//!
//! ```text
//! blobs/BLAKE3                     components and files: immutable, shared by all runs
//! runs/RUN/manifest                the RunManifest
//! runs/RUN/arguments               the arguments, when they are too large for the manifest
//! runs/RUN/value                   a large value of another run, which is an argument
//! runs/RUN/lease                   the Lease, while the run goes on or when it is detached
//! runs/RUN/outcome                 the run's one Outcome; created once, never overwritten
//! runs/RUN/attempts/N/outcome      the Outcome of an attempt that failed before the function ended
//! runs/RUN/attempts/N/result       the value, when it is too large for the outcome
//! runs/RUN/attempts/N/log          the guest's output, when it is too large for the outcome
//! maps/ID/plan/INDEX               the MapSegment: consecutive items of a staged map, from this index on
//! maps/ID/out/N-C                  the MapChunk: the results of chunk C of segment N; created once
//! maps/ID/blobs/BLAKE3             large arguments or a large value of an item
//! live/RUN                         the LiveRun: the entry of a run in the index of live runs
//! clock                            written by each collection, to read the store's clock
//! ```
//!
//! ```
//! use hype_wire::{Digest, names};
//!
//! let digest = Digest::of(b"component");
//! assert_eq!(names::result("run-1", 2), "runs/run-1/attempts/2/result");
//! assert_eq!(names::split_manifest("gs://b/p/runs/run-1/manifest"), Some(("gs://b/p", "run-1".parse().unwrap())));
//! ```

use crate::digest::Digest;
use crate::run_id::RunId;

/// The prefix of all blobs.
pub const BLOBS: &str = "blobs";

/// The prefix of all runs.
pub const RUNS: &str = "runs";

/// The prefix of all staged maps.
pub const MAPS: &str = "maps";

/// The prefix of the index of live runs.
pub const LIVE: &str = "live";

/// The object that a collection writes to read the store's clock.
pub const CLOCK: &str = "clock";

/// Returns the name of the blob with this digest.
pub fn blob(digest: &Digest) -> String {
    format!("blobs/{digest}")
}

/// Returns the prefix of all objects of a run.
pub fn run(run_id: &str) -> String {
    format!("runs/{run_id}")
}

/// Returns the name of a run's manifest.
pub fn manifest(run_id: &str) -> String {
    format!("runs/{run_id}/manifest")
}

/// Returns the name of a run's arguments.
pub fn arguments(run_id: &str) -> String {
    format!("runs/{run_id}/arguments")
}

/// Returns the name of a large value of another run, which is an argument of the run.
pub fn value(run_id: &str) -> String {
    format!("runs/{run_id}/value")
}

/// Returns the name of a run's lease.
pub fn lease(run_id: &str) -> String {
    format!("runs/{run_id}/lease")
}

/// Returns the name of a run's entry in the index of live runs.
pub fn live(run_id: &str) -> String {
    format!("live/{run_id}")
}

/// Returns the name of a run's outcome.
pub fn outcome(run_id: &str) -> String {
    format!("runs/{run_id}/outcome")
}

/// Returns the name of the outcome of an attempt that failed independently of the function.
pub fn attempt_outcome(run_id: &str, attempt: u32) -> String {
    format!("runs/{run_id}/attempts/{attempt}/outcome")
}

/// Returns the name of the value of an attempt.
pub fn result(run_id: &str, attempt: u32) -> String {
    format!("runs/{run_id}/attempts/{attempt}/result")
}

/// Returns the name of the log of an attempt.
pub fn log(run_id: &str, attempt: u32) -> String {
    format!("runs/{run_id}/attempts/{attempt}/log")
}

/// Returns the prefix of all objects of a staged map.
pub fn map(map_id: &str) -> String {
    format!("maps/{map_id}")
}

/// Returns the prefix of the segments of a map's plan.
pub fn map_plans(map_id: &str) -> String {
    format!("maps/{map_id}/plan")
}

/// Returns the name of the segment of a map's plan whose first item has the index `first`.
pub fn map_plan(map_id: &str, first: u64) -> String {
    format!("maps/{map_id}/plan/{first}")
}

/// Returns the prefix of the results of a map.
pub fn map_outs(map_id: &str) -> String {
    format!("maps/{map_id}/out")
}

/// Returns the name of the results of a chunk of a map.
pub fn map_out(map_id: &str, segment: u64, chunk: u32) -> String {
    format!("maps/{map_id}/out/{segment}-{chunk}")
}

/// Returns the name of large arguments or of a large value of a map.
pub fn map_blob(map_id: &str, digest: &Digest) -> String {
    format!("maps/{map_id}/blobs/{digest}")
}

/// Parses the last part of a name of [`map_plan`]: the index of the segment's first item.
///
/// ```
/// assert_eq!(hype_wire::names::parse_map_plan("4096"), Some(4096));
/// assert_eq!(hype_wire::names::parse_map_plan("04096"), None);
/// ```
pub fn parse_map_plan(text: &str) -> Option<u64> {
    text.parse().ok().filter(|first: &u64| first.to_string() == text)
}

/// Parses the last part of a name of [`map_out`]: the numbers of the segment and of the chunk.
///
/// ```
/// assert_eq!(hype_wire::names::split_map_out("3-12"), Some((3, 12)));
/// assert_eq!(hype_wire::names::split_map_out("03-12"), None);
/// ```
pub fn split_map_out(text: &str) -> Option<(u64, u32)> {
    let (segment, chunk) = text.split_once('-')?;
    let numbers = (segment.parse().ok()?, chunk.parse().ok()?);
    (format!("{}-{}", numbers.0, numbers.1) == text).then_some(numbers)
}

/// Returns whether `text` can name a run: 1 to 63 lower-case letters, digits and `-`, so that it can
/// also name objects in Kubernetes.
pub fn is_run_id(text: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(is_fine)
}

/// Returns ten lower-case letters and digits for a number; different numbers below 2^50 give different ones. They can
/// be part of any object's name.
pub fn letters(number: u64) -> String {
    let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
    (0..10).map(|index| char::from(letters[(number >> (5 * index)) as usize % 32])).collect()
}

/// Splits the URL of a manifest into the stage's URL and the run's id.
pub fn split_manifest(url: &str) -> Option<(&str, RunId)> {
    let run = url.strip_suffix("/manifest")?;
    let (stage, run_id) = run.rsplit_once("/runs/")?;
    Some((stage, run_id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_not_accepted_as_run_id() {
        assert!(is_run_id("hype-run-7f3k"));
        for text in ["", "..", "a/b", "A", "a b", &"a".repeat(64)] {
            assert!(!is_run_id(text), "{text}");
        }
    }

    #[test]
    fn manifest_url_splits_into_stage_and_run() {
        let url = format!("gs://bucket/some/prefix/{}", manifest("r-1"));
        assert_eq!(split_manifest(&url), Some(("gs://bucket/some/prefix", "r-1".parse().unwrap())));
        assert_eq!(split_manifest("gs://bucket/manifest"), None);
        assert_eq!(split_manifest("gs://bucket/runs//manifest"), None);
        assert_eq!(split_manifest("gs://bucket/runs/r-1/outcome"), None);
    }
}
