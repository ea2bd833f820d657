//! Backfill of a log: lines that the runner could not read are taken from the stage.

use bytes::Bytes;
use hype_stage::{Stage, StageError};
use hype_wire::{Blob, Outcome, names};

use crate::run::log::{Log, LogStream, unmarked};

/// The maximum size of a log in the stage, in bytes. A runner keeps no more.
const MAX_SIZE: u64 = 64 << 20;

/// Appends to `log` the lines of the attempt that it lacks. It has the first `present` lines of each stream. An error
/// is logged, never returned, since the run's value doesn't depend on its log.
pub(crate) async fn backfill(stage: &Stage, outcome: &Outcome, log: &Log, present: [usize; 2]) {
    let Some(blob) = outcome.log else {
        let mut skip = Skip(present);
        skip.write(log, LogStream::Stdout, &outcome.stdout.0);
        skip.write(log, LogStream::Stderr, &outcome.stderr.0);
        return;
    };
    match fetch(stage, outcome, blob).await {
        Ok(lines) => write_marked(log, present, &lines),
        Err(error) => tracing::warn!("the rest of the log is not available: {error}"),
    }
}

async fn fetch(stage: &Stage, outcome: &Outcome, blob: Blob) -> Result<Bytes, StageError> {
    let name = names::log(&outcome.run_id, outcome.attempt);
    if blob.size > MAX_SIZE {
        return Err(StageError::too_large(&stage.url_of(&name), blob.size, MAX_SIZE));
    }
    stage.get_blob_at(&name, &blob).await
}

/// Appends the missing lines of a log with both streams, in which lines of the standard error are marked.
fn write_marked(log: &Log, present: [usize; 2], lines: &[u8]) {
    let mut skip = Skip(present);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let (stream, line) = unmarked(line);
        skip.write(log, stream, line);
    }
}

/// The number of lines of each stream that are still to be skipped.
struct Skip([usize; 2]);

impl Skip {
    fn write(&mut self, log: &Log, stream: LogStream, lines: &[u8]) {
        let left = &mut self.0[stream as usize];
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => log.write(stream, &[line, b"\n"].concat()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use hype_stage::Source;
    use hype_wire::{End, Payload, Statistics};

    const RUN: &str = "hype-run-abcdefghij";

    fn outcome() -> Outcome {
        let end = End::Value(Payload::Inline(vec![1].into()));
        let mut outcome = Outcome::new(RUN.parse().unwrap(), 1, end, Statistics::default());
        outcome.stdout = b"one\ntwo\nthree".to_vec().into();
        outcome.stderr = b"error\n".to_vec().into();
        outcome
    }

    async fn written(
        stage: &Stage,
        outcome: &Outcome,
        present: [usize; 2],
    ) -> Vec<(LogStream, String)> {
        let log = Log::new("run");
        backfill(stage, outcome, &log, present).await;
        log.end();
        log.follow().map(|line| (line.stream, line.text)).collect().await
    }

    fn line(stream: LogStream, text: &str) -> (LogStream, String) {
        (stream, text.to_owned())
    }

    #[tokio::test]
    async fn missing_lines_come_from_the_outcome() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let rest = written(&stage, &outcome(), [1, 0]).await;
        let (out, err) = (LogStream::Stdout, LogStream::Stderr);
        assert_eq!(rest, [line(out, "two"), line(out, "three"), line(err, "error")]);
        assert_eq!(written(&stage, &outcome(), [3, 1]).await, []);
    }

    #[tokio::test]
    async fn staged_log_is_preferred_and_verified() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let kept = "a\n\u{2063}b\nc\n\u{2063}d\n".as_bytes();
        let mut outcome = outcome();
        outcome.log = Some(Blob::of(kept));
        let (name, source) = (names::log(RUN, 1), Source::bytes(kept.to_vec()));
        stage.put_at(&name, &Blob::of(kept), &source).await.unwrap();
        let rest = written(&stage, &outcome, [1, 1]).await;
        assert_eq!(rest, [line(LogStream::Stdout, "c"), line(LogStream::Stderr, "d")]);
        stage.put(&name, "a\n".into()).await.unwrap();
        assert_eq!(written(&stage, &outcome, [0, 0]).await, []);
    }
}
