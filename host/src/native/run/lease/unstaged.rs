//! Runs in this process that are in the stage only if they last, are detached, are attached to, or end while nobody waits
//! for them.

use bytes::Bytes;
use hype_stage::Stage;
use hype_wire::{Outcome, Payload, RunKey, names, seal};

use super::{Lease, State};
use crate::error::{Error, Result};
use crate::staging::unstaged::UnstagedRun;

impl Lease {
    /// Keeps a run that needn't be in the stage, and writes it before the lease. Writes it at once if other programs know the
    /// run, or may look for it.
    pub(crate) async fn keep_unstaged(&self, run: UnstagedRun) -> Result<()> {
        let mut state = self.0.state.lock().await;
        state.unstaged = Some(run);
        let is_known = state.record.renewals > 0 || state.is_attached || self.is_detached();
        match is_known && !state.is_closed {
            true => state.put_unstaged(&self.0.stage).await,
            false => Ok(()),
        }
    }

    /// Lets the run and its end be in the stage, for another handle of this process.
    pub(crate) async fn attach(&self) {
        let is_unstaged = {
            let mut state = self.0.state.lock().await;
            state.is_attached = true;
            state.unstaged.is_some()
        };
        if is_unstaged {
            self.renew().await;
        }
    }

    /// Writes the outcome of a run, sealed with `key`, unless a program waits for the value (`is_awaited`) and the run isn't
    /// in the stage. Writes the run before it. Returns the outcome, and the names of the run's objects, except for the value.
    ///
    /// # Errors
    ///
    /// The error of writing one of them.
    pub(crate) async fn stage_end(
        &self,
        outcome: Outcome,
        key: &RunKey,
        is_awaited: bool,
    ) -> Result<(Outcome, Vec<String>)> {
        if is_awaited && !self.0.state.lock().await.is_staged {
            return Ok((outcome, Vec::new()));
        }
        let (lease, key) = (self.clone(), key.clone());
        // In a separate task, so that dropping this future doesn't interrupt the write. `close` waits for it.
        let write = tokio::spawn(async move {
            let (mut state, stage) = (lease.0.state.lock().await, &lease.0.stage);
            if state.is_closed {
                return Ok((outcome, Vec::new()));
            }
            state.put_unstaged(stage).await?;
            let outcome = with_staged_result(stage, outcome).await?;
            let (name, bytes) = (outcome.name(), Bytes::from(seal(outcome.to_bytes()?, &key)?));
            // One that exists was not written by hype. Its seal shows that.
            stage.create(&name, bytes).await?;
            Ok((outcome, [&state.written[..], &[name]].concat()))
        });
        let write = write.await;
        write.unwrap_or_else(|error| Err(Error::runner("writing an outcome panicked", error)))
    }
}

/// Writes a value that is too large for an outcome to the stage.
async fn with_staged_result(stage: &Stage, mut outcome: Outcome) -> Result<Outcome> {
    let name = names::result(&outcome.run_id, outcome.attempt);
    if let Some(result @ Payload::Inline(_)) = outcome.result_mut()
        && result.size() > Payload::INLINE_LIMIT as u64
        && let Payload::Inline(bytes) =
            std::mem::replace(result, Payload::Inline(Vec::new().into()))
    {
        let blob = stage.put_blob_at(&name, Bytes::from(bytes.0)).await?;
        *result = Payload::Staged { name, blob };
    }
    Ok(outcome)
}

impl State {
    /// Writes the run, if it is not in the stage yet.
    pub(super) async fn put_unstaged(&mut self, stage: &Stage) -> Result<()> {
        if let Some(run) = &self.unstaged {
            run.put(stage).await?;
            self.written = run.objects();
            (self.unstaged, self.is_staged) = (None, true);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hype_wire::{Blob, Call, ComponentRef, End, Job, RunManifest, Statistics};

    use super::*;
    use crate::run::lease::TERM;

    const RUN: &str = "r-1";

    struct Fixture {
        _directory: tempfile::TempDir,
        stage: Stage,
        lease: Lease,
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let stage = Stage::in_directory(directory.path()).unwrap();
            let lease = Lease::new(&stage, &RUN.parse().unwrap(), "train", TERM);
            Self { _directory: directory, stage, lease }
        }

        async fn keep(&self) {
            self.keep_with(None).await;
        }

        /// Keeps the run with these large arguments.
        async fn keep_with(&self, arguments: Option<Bytes>) {
            let component = ComponentRef { name: "train".to_owned(), blob: Blob::of(b"") };
            let call = Call::closure("train", Payload::Inline(Vec::new().into()));
            let manifest = RunManifest::new(RUN.parse().unwrap(), Job::new(component), call);
            let run = UnstagedRun::new(Arc::new(manifest), arguments);
            self.lease.keep_unstaged(run).await.unwrap();
        }

        /// Ends the run. Returns the number of objects that it names.
        async fn end(&self, is_awaited: bool) -> usize {
            self.end_with(vec![1], is_awaited).await.1.len()
        }

        async fn end_with(&self, value: Vec<u8>, is_awaited: bool) -> (Outcome, Vec<String>) {
            let value = End::Value(Payload::Inline(value.into()));
            let outcome = Outcome::new(RUN.parse().unwrap(), 1, value, Statistics::default());
            let key = RunKey::new([1; 32]);
            self.lease.stage_end(outcome, &key, is_awaited).await.unwrap()
        }

        /// Returns whether manifest, lease and outcome are in the stage.
        async fn has(&self) -> [bool; 3] {
            let has = async |name: String| self.stage.has(&name).await.unwrap();
            [
                has(names::manifest(RUN)).await,
                has(names::lease(RUN)).await,
                has(names::outcome(RUN)).await,
            ]
        }
    }

    #[tokio::test]
    async fn short_awaited_run_leaves_nothing() {
        let run = Fixture::new();
        run.keep().await;
        assert_eq!(run.end(true).await, 0);
        assert_eq!(run.has().await, [false; 3]);
    }

    #[tokio::test]
    async fn run_is_staged_before_its_lease() {
        let run = Fixture::new();
        run.keep().await;
        run.lease.renew().await;
        assert_eq!(run.has().await, [true, true, false]);
        assert_eq!(run.end(true).await, 2);
        assert_eq!(run.has().await, [true; 3]);
    }

    #[tokio::test]
    async fn run_that_nobody_waits_for_is_staged_when_it_ends() {
        let run = Fixture::new();
        run.keep().await;
        assert_eq!(run.end(false).await, 2);
        assert_eq!(run.has().await, [true, false, true]);
    }

    #[tokio::test]
    async fn known_run_is_staged_at_once() {
        for case in 0..3 {
            let run = Fixture::new();
            match case {
                0 => run.lease.renew().await,
                1 => run.lease.mark_detached(),
                _ => run.lease.attach().await,
            }
            assert!(!run.has().await[0]);
            run.keep().await;
            assert!(run.has().await[0], "{case}");
            assert_eq!(run.end(true).await, 2);
        }
    }

    #[tokio::test]
    async fn attached_run_is_staged_with_its_end() {
        let run = Fixture::new();
        run.keep().await;
        run.lease.attach().await;
        assert_eq!(run.end(true).await, 2);
        assert_eq!(run.has().await, [true; 3]);
    }

    #[tokio::test]
    async fn large_arguments_and_values_are_objects_in_the_stage() {
        let large = vec![7; Payload::INLINE_LIMIT + 1];
        let run = Fixture::new();
        run.keep_with(Some(large.clone().into())).await;
        let (outcome, objects) = run.end_with(large.clone(), false).await;
        assert_eq!(objects, [names::arguments(RUN), names::manifest(RUN), names::outcome(RUN)]);
        let manifest = run.stage.get(&names::manifest(RUN), RunManifest::MAX_SIZE).await.unwrap();
        let manifest = RunManifest::from_bytes(&manifest).unwrap();
        let arguments = Payload::Staged { name: names::arguments(RUN), blob: Blob::of(&large) };
        assert_eq!(manifest.call.arguments, arguments);
        assert_eq!(outcome.staged_result(), Some(&*names::result(RUN, 1)));
        for (name, blob) in
            [(names::arguments(RUN), Blob::of(&large)), (names::result(RUN, 1), Blob::of(&large))]
        {
            assert_eq!(run.stage.get_blob_at(&name, &blob).await.unwrap(), large);
        }
    }

    #[tokio::test]
    async fn large_value_of_awaited_run_stays_in_memory() {
        let run = Fixture::new();
        run.keep().await;
        let (outcome, _) = run.end_with(vec![7; 1 << 20], true).await;
        assert_eq!((outcome.staged_result(), run.has().await), (None, [false; 3]));
    }

    #[tokio::test]
    async fn removed_run_is_not_staged() {
        let run = Fixture::new();
        run.keep().await;
        run.lease.close().await;
        run.lease.attach().await;
        run.end(false).await;
        assert_eq!(run.has().await, [false; 3]);
    }
}
