//! The outcome of an attempt, by the word of whoever vouches for it.

use hype_stage::{Stage, StageErrorKind};
use hype_wire::{Outcome, RunKey, TerminationLine, names, unseal};

use crate::error::{Error, Result};

/// The outcome that `line` names, and its name in the stage.
pub(crate) async fn outcome_by_line(
    stage: &Stage,
    run_id: &str,
    line: &TerminationLine,
) -> Result<(String, Outcome)> {
    let name = line
        .outcome
        .strip_prefix(stage.url())
        .and_then(|name| name.strip_prefix('/'))
        .filter(|name| name.starts_with(&format!("{}/", names::run(run_id))))
        .ok_or_else(|| {
            Error::lost(run_id, format!("its runner named a foreign outcome, {}", line.outcome))
        })?;
    let bytes = stage
        .get_verified(name, &line.digest, Outcome::MAX_SIZE)
        .await
        .map_err(|error| Error::lost(run_id, error))?;
    let (bytes, _) = unseal(Vec::from(bytes), None)?;
    Ok((name.to_owned(), Outcome::from_bytes(&bytes)?))
}

/// The outcome that is sealed with the run's `key`, the run's or else this attempt's, and its name in
/// the stage.
pub(crate) async fn outcome_by_key(
    stage: &Stage,
    run_id: &str,
    attempt: u32,
    key: &RunKey,
) -> Result<(String, Outcome)> {
    for name in [names::outcome(run_id), names::attempt_outcome(run_id, attempt)] {
        let bytes = match stage.get(&name, Outcome::MAX_SIZE).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == StageErrorKind::NotFound => continue,
            Err(error) => return Err(Error::lost(run_id, error)),
        };
        let (bytes, _) =
            unseal(Vec::from(bytes), Some(key)).map_err(|error| Error::lost(run_id, error))?;
        return Ok((name, Outcome::from_bytes(&bytes)?));
    }
    let reason = format!("its runner ended well, and left no outcome in {}", stage.url());
    Err(Error::lost(run_id, reason)
        .hint("what ran must be hype-run, of this version: it alone may be the image's entrypoint"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hype_wire::{End, Failure, FailureKind, Payload, Statistics, seal};

    const RUN: &str = "hype-run-abcdefghij";

    fn outcome(end: End, key: &RunKey) -> Bytes {
        let outcome = Outcome::new(RUN, 1, end, Statistics::default());
        seal(outcome.to_bytes().unwrap(), key).unwrap().into()
    }

    #[tokio::test]
    async fn the_key_vouches_for_the_runs_outcome_or_the_attempts() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let (key, other) = (RunKey::new([1; 32]), RunKey::new([2; 32]));
        let error = outcome_by_key(&stage, RUN, 1, &key).await.unwrap_err();
        assert!(error.is_lost() && error.report().contains("left no outcome in file:///"));

        let interrupted = Failure::new(FailureKind::Interrupted, "told to stop");
        let of_attempt = names::attempt_outcome(RUN, 1);
        stage.put(&of_attempt, outcome(End::Failure(interrupted), &key)).await.unwrap();
        assert_eq!(outcome_by_key(&stage, RUN, 1, &key).await.unwrap().0, of_attempt);

        let value = || End::Value(Payload::Inline(vec![1].into()));
        stage.put(&names::outcome(RUN), outcome(value(), &key)).await.unwrap();
        assert_eq!(outcome_by_key(&stage, RUN, 1, &key).await.unwrap().0, names::outcome(RUN));

        stage.put(&names::outcome(RUN), outcome(value(), &other)).await.unwrap();
        let error = outcome_by_key(&stage, RUN, 1, &key).await.unwrap_err();
        assert!(error.report().contains("is not sealed with the run's key"), "{error:?}");
    }
}
