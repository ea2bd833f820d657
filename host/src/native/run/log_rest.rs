//! The rest of a log that its runner could not read, from what the attempt left in the stage.

use bytes::Bytes;
use hype_stage::{Stage, StageError};
use hype_wire::{Blob, Outcome, names};

use crate::run::log::{Log, LogStream, unmarked};

/// How many bytes of a log are read at most; a runner keeps no more.
const LONGEST: u64 = 64 << 20;

/// Writes to `log` what the guest of `outcome` wrote, but for the first lines of each stream, of which
/// there are so many in it. A run needs no log: what can't be had is told, and no error.
pub(crate) async fn write(stage: &Stage, outcome: &Outcome, log: &Log, cut: [usize; 2]) {
    let Some(blob) = outcome.log else {
        let mut skip = Skip(cut);
        skip.write(log, LogStream::Stdout, &outcome.stdout.0);
        skip.write(log, LogStream::Stderr, &outcome.stderr.0);
        return;
    };
    match fetch(stage, outcome, blob).await {
        Ok(lines) => write_marked(log, cut, &lines),
        Err(error) => tracing::warn!("the rest of the log cannot be had: {error}"),
    }
}

async fn fetch(stage: &Stage, outcome: &Outcome, blob: Blob) -> Result<Bytes, StageError> {
    let name = names::log(&outcome.run_id, outcome.attempt);
    if blob.size > LONGEST {
        return Err(StageError::too_large(&stage.url_of(&name), blob.size, LONGEST));
    }
    stage.get_blob_at(&name, &blob).await
}

/// Writes lines of both streams, of which those of the standard error are marked.
fn write_marked(log: &Log, cut: [usize; 2], lines: &[u8]) {
    let mut skip = Skip(cut);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let (stream, line) = unmarked(line);
        skip.write(log, stream, line);
    }
}

/// How many lines of each stream are still to be left out.
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
        let mut outcome = Outcome::new(RUN, 1, end, Statistics::default());
        outcome.stdout = b"one\ntwo\nthree".to_vec().into();
        outcome.stderr = b"error\n".to_vec().into();
        outcome
    }

    async fn written(
        stage: &Stage,
        outcome: &Outcome,
        cut: [usize; 2],
    ) -> Vec<(LogStream, String)> {
        let log = Log::new("run");
        write(stage, outcome, &log, cut).await;
        log.end();
        log.follow().map(|line| (line.stream, line.text)).collect().await
    }

    fn line(stream: LogStream, text: &str) -> (LogStream, String) {
        (stream, text.to_owned())
    }

    #[tokio::test]
    async fn what_the_outcome_carries_is_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let rest = written(&stage, &outcome(), [1, 0]).await;
        let (out, err) = (LogStream::Stdout, LogStream::Stderr);
        assert_eq!(rest, [line(out, "two"), line(out, "three"), line(err, "error")]);
        assert_eq!(written(&stage, &outcome(), [3, 1]).await, []);
    }

    #[tokio::test]
    async fn what_was_kept_in_the_stage_comes_before_it_and_is_verified() {
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
