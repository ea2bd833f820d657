//! Parses the names of objects in a stage.

use crate::digest::Digest;
use crate::names;

/// The name of an object that hype writes into a stage, below the stage's prefix.
///
/// Other programs that can write to the stage may add other objects. Their names do not parse, and hype neither reads
/// nor removes them.
///
/// ```
/// use hype_wire::ObjectName;
///
/// assert_eq!(ObjectName::parse("runs/run-1/lease"), Some(ObjectName::OfRun("run-1")));
/// assert_eq!(ObjectName::parse("runs/../lease"), None);
/// assert_eq!(ObjectName::parse("runs/run-1/notes.txt"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectName<'a> {
    /// The object that garbage collections write to read the store's time.
    Clock,
    /// The blob with this digest.
    Blob(Digest),
    /// An object of the run with this id: its manifest, arguments, a value, lease or outcome, or an attempt's outcome, result or
    /// log.
    OfRun(&'a str),
    /// An object of the staged map with this id: a segment of its plan, the results of a chunk, or a large value.
    OfMap(&'a str),
    /// The entry of the run with this id in the index of live runs.
    Live(&'a str),
}

impl<'a> ObjectName<'a> {
    /// Parses a name; returns `None` for one that hype never writes.
    pub fn parse(name: &'a str) -> Option<Self> {
        let parts: Vec<&str> = name.split('/').collect();
        match parts[..] {
            [names::CLOCK] => Some(Self::Clock),
            [names::BLOBS, digest] => {
                let digest: Digest = digest.parse().ok()?;
                (names::blob(&digest) == name).then_some(Self::Blob(digest))
            }
            [names::RUNS, run_id, "manifest" | "arguments" | "value" | "lease" | "outcome"]
                if names::is_run_id(run_id) =>
            {
                Some(Self::OfRun(run_id))
            }
            [names::RUNS, run_id, "attempts", number, "outcome" | "result" | "log"]
                if names::is_run_id(run_id) && is_attempt(number) =>
            {
                Some(Self::OfRun(run_id))
            }
            [names::MAPS, map_id, kind, number] if names::is_run_id(map_id) => {
                let is_written = match kind {
                    "plan" => names::parse_map_plan(number).is_some(),
                    "out" => names::split_map_out(number).is_some(),
                    "blobs" => {
                        number.parse().is_ok_and(|digest: Digest| digest.to_string() == number)
                    }
                    _ => false,
                };
                is_written.then_some(Self::OfMap(map_id))
            }
            [names::LIVE, run_id] if names::is_run_id(run_id) => Some(Self::Live(run_id)),
            _ => None,
        }
    }
}

/// Returns whether `text` is an attempt's number as [`names`] writes it.
fn is_attempt(text: &str) -> bool {
    text.parse().is_ok_and(|number: u32| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_hype_writes_parses() {
        let (digest, run) = (Digest::of(b"a"), "hype-run-7f3k");
        assert_eq!(ObjectName::parse(&names::blob(&digest)), Some(ObjectName::Blob(digest)));
        assert_eq!(ObjectName::parse(names::CLOCK), Some(ObjectName::Clock));
        assert_eq!(ObjectName::parse(&names::live(run)), Some(ObjectName::Live(run)));
        for name in [
            names::manifest(run),
            names::arguments(run),
            names::value(run),
            names::lease(run),
            names::outcome(run),
            names::attempt_outcome(run, 1),
            names::result(run, 12),
            names::log(run, u32::MAX),
        ] {
            assert_eq!(ObjectName::parse(&name), Some(ObjectName::OfRun(run)), "{name}");
        }
        for name in [
            names::map_plan(run, u64::MAX),
            names::map_out(run, 0, u32::MAX),
            names::map_blob(run, &digest),
        ] {
            assert_eq!(ObjectName::parse(&name), Some(ObjectName::OfMap(run)), "{name}");
        }
    }

    #[test]
    fn other_names_do_not_parse() {
        let upper = names::blob(&Digest::of(b"a")).to_uppercase().replace("BLOBS", "blobs");
        for name in [
            "",
            "blobs",
            "blobs/",
            "blobs/readme",
            &upper,
            "runs/run-1",
            "runs/run-1/",
            "runs//manifest",
            "runs/../manifest",
            "runs/RUN/manifest",
            "runs/run-1/manifest/",
            "runs/run-1/manifest#1",
            "runs/run-1/notes",
            "runs/run-1/attempts/01/log",
            "runs/run-1/attempts/+1/log",
            "runs/run-1/attempts/4294967296/log",
            "runs/run-1/attempts/1/notes",
            "/clock",
            "live",
            "live/",
            "live/../run-1",
            "live/run-1/x",
            "live/run-1#1",
            "maps/run-1",
            "maps/../plan/0",
            "maps/run-1/plan/00",
            "maps/run-1/plan/0/x",
            "maps/run-1/out/0",
            "maps/run-1/out/0-01",
            "maps/run-1/out/0-4294967296",
            "maps/run-1/blobs/x",
            "maps/run-1/notes/0",
        ] {
            assert_eq!(ObjectName::parse(name), None, "{name}");
        }
    }
}
