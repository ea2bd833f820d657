//! Verified reading of an attempt's outcome: its termination line or its seal proves that the runner wrote it.

use hype_stage::{Stage, StageErrorKind};
use hype_wire::{Outcome, RunKey, TerminationLine, names, unseal};

use crate::error::{Error, Result};

/// The hint for an outcome that no runner of the run could have written.
const FORGED_HINT: &str =
    "find out who can write to the stage, and submit the closure again in a stage of your own";

/// Decodes the outcome of the run `run_id`.
///
/// # Errors
///
/// [`Lost`](crate::ErrorKind::Lost) if it is the outcome of another run, or names a value that is no object of the run.
pub(crate) fn decode_outcome(run_id: &str, bytes: &[u8]) -> Result<Outcome> {
    let outcome = Outcome::from_bytes(bytes)?;
    if *outcome.run_id != *run_id {
        let other = &outcome.run_id;
        let reason = format!("the stage has the outcome of another run in its place, `{other}`");
        return Err(Error::lost(run_id, reason).hint(FORGED_HINT));
    }
    if let Some(name) = outcome.staged_result()
        && name != names::result(run_id, outcome.attempt)
    {
        let reason = format!("its outcome names a value that is no object of it, `{name}`");
        return Err(Error::lost(run_id, reason).hint(FORGED_HINT));
    }
    Ok(outcome)
}

/// Reads the outcome that the termination line of an attempt names, and verifies its digest. Returns its name in the
/// stage, too.
pub(crate) async fn outcome_by_line(
    stage: &Stage,
    run_id: &str,
    attempt: u32,
    line: &TerminationLine,
) -> Result<(String, Outcome)> {
    let own = [names::outcome(run_id), names::attempt_outcome(run_id, attempt)];
    let Some(name) = own.into_iter().find(|name| stage.url_of(name) == line.outcome) else {
        let reason = format!("its runner named a foreign outcome, {}", line.outcome);
        return Err(Error::lost(run_id, reason));
    };
    let bytes = stage
        .get_verified(&name, &line.digest, Outcome::MAX_SIZE)
        .await
        .map_err(|error| Error::lost(run_id, error))?;
    let (bytes, _) = unseal(Vec::from(bytes), None)?;
    let outcome = decode_outcome(run_id, &bytes)?;
    Ok((name, outcome))
}

/// Reads the outcome of the run, or else of this attempt, and verifies that it is sealed with `key`. Returns its name
/// in the stage, too.
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
        return Ok((name, decode_outcome(run_id, &bytes)?));
    }
    let reason = format!("its runner ended well, and left no outcome in {}", stage.url());
    Err(Error::lost(run_id, reason).hint("the image's entrypoint must be hype-run of this version"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hype_wire::{Blob, Digest, End, Failure, FailureKind, Payload, Statistics, seal};

    const RUN: &str = "hype-run-abcdefghij";

    fn outcome(end: End, key: &RunKey) -> Bytes {
        let outcome = Outcome::new(RUN.parse().unwrap(), 1, end, Statistics::default());
        seal(outcome.to_bytes().unwrap(), key).unwrap().into()
    }

    #[tokio::test]
    async fn key_verifies_outcome_of_run_or_attempt() {
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

    #[tokio::test]
    async fn outcome_of_another_run_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let key = RunKey::new([1; 32]);
        let staged = |name: &str| {
            End::Value(Payload::Staged { name: name.into(), blob: Blob::of(b"value") })
        };
        let own = names::result(RUN, 1);
        for (run_id, end, expected) in [
            ("hype-run-another", staged(&own), "the outcome of another run"),
            (RUN, staged("blobs/secret"), "names a value that is no object of it, `blobs/secret`"),
            (RUN, staged(&names::result("hype-run-another", 1)), "no object of it"),
            (RUN, staged(&names::result(RUN, 2)), "no object of it"),
            (RUN, staged("runs/hype-run-abcdefghij/../x"), "no object of it"),
            (RUN, staged(&own), ""),
        ] {
            let outcome = Outcome::new(run_id.parse().unwrap(), 1, end, Statistics::default())
                .to_bytes()
                .unwrap();
            let line = TerminationLine {
                outcome: stage.url_of(&names::outcome(RUN)),
                digest: Digest::of(&outcome),
            };
            stage.put(&names::outcome(RUN), outcome.clone().into()).await.unwrap();
            let by_line = outcome_by_line(&stage, RUN, 1, &line).await;
            let sealed = seal(outcome, &key).unwrap();
            stage.put(&names::outcome(RUN), sealed.into()).await.unwrap();
            let by_key = outcome_by_key(&stage, RUN, 1, &key).await;
            for read in [by_line, by_key] {
                match read {
                    Ok(_) => assert_eq!(expected, ""),
                    Err(error) => {
                        let report = error.report();
                        assert!(!expected.is_empty() && report.contains(expected), "{report}");
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn line_names_only_an_outcome_of_its_attempt() {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let outcome = Outcome::new(
            RUN.parse().unwrap(),
            2,
            End::Value(Payload::Inline(vec![1].into())),
            Statistics::default(),
        );
        let outcome = outcome.to_bytes().unwrap();
        let digest = Digest::of(&outcome);
        let of_attempt = names::attempt_outcome(RUN, 2);
        stage.put(&of_attempt, outcome.into()).await.unwrap();
        let line = |name: &str| TerminationLine { outcome: stage.url_of(name), digest };
        assert!(outcome_by_line(&stage, RUN, 2, &line(&of_attempt)).await.is_ok());
        for name in [
            format!("{of_attempt}#x"),
            names::result(RUN, 2),
            format!("runs/{RUN}/../{RUN}/attempts/2/outcome"),
            names::outcome("hype-run-another"),
        ] {
            let error = outcome_by_line(&stage, RUN, 2, &line(&name)).await.unwrap_err();
            assert!(error.report().contains("named a foreign outcome"), "{error:?}");
        }
        assert!(outcome_by_line(&stage, RUN, 1, &line(&of_attempt)).await.is_err());
    }
}
