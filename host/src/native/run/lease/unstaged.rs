//! Runs in this process that are in the stage only if they last, are detached, are attached to, or end while nobody waits
//! for them.

use bytes::Bytes;
use hype_stage::Stage;
use hype_wire::{Outcome, RunKey, names, seal};

use super::{Lease, State};
use crate::error::{Error, Result};

impl Lease {
    /// Keeps the manifest of a run that needs none in the stage, and writes it before the lease. Writes it at once if other
    /// programs know the run, or may look for it.
    pub(crate) async fn keep_manifest(&self, manifest: Bytes) -> Result<()> {
        let mut state = self.0.state.lock().await;
        state.unstaged_manifest = Some(manifest);
        let is_known = state.record.renewals > 0 || state.is_attached || self.is_detached();
        match is_known && !state.is_closed {
            true => state.stage_manifest(&self.0.stage).await,
            false => Ok(()),
        }
    }

    /// Lets the run and its end be in the stage, for another handle of this process.
    pub(crate) async fn attach(&self) {
        let is_unstaged = {
            let mut state = self.0.state.lock().await;
            state.is_attached = true;
            state.unstaged_manifest.is_some()
        };
        if is_unstaged {
            self.renew().await;
        }
    }

    /// Writes the outcome of a run, sealed with `key`, unless a program waits for the value (`is_awaited`) and the run isn't
    /// in the stage. Writes the manifest before it. Returns the names of both objects, or none.
    ///
    /// # Errors
    ///
    /// The error of writing one of them.
    pub(crate) async fn stage_end(
        &self,
        outcome: &Outcome,
        key: &RunKey,
        is_awaited: bool,
    ) -> Result<Vec<String>> {
        if is_awaited && !self.0.state.lock().await.is_staged {
            return Ok(Vec::new());
        }
        let bytes = Bytes::from(seal(outcome.to_bytes()?, key)?);
        let name = outcome.name();
        let (lease, written) = (self.clone(), name.clone());
        // In a separate task, so that dropping this future doesn't interrupt the write. `close` waits for it.
        let write = tokio::spawn(async move {
            let mut state = lease.0.state.lock().await;
            if state.is_closed {
                return Ok(());
            }
            state.stage_manifest(&lease.0.stage).await?;
            // One that exists was not written by hype. Its seal shows that.
            lease.0.stage.create(&written, bytes).await?;
            Ok(())
        });
        let write = write.await;
        write.unwrap_or_else(|error| Err(Error::runner("writing an outcome panicked", error)))?;
        Ok(vec![names::manifest(&outcome.run_id), name])
    }
}

impl State {
    /// Writes the manifest, if it is not in the stage yet.
    pub(super) async fn stage_manifest(&mut self, stage: &Stage) -> Result<()> {
        if let Some(manifest) = &self.unstaged_manifest {
            stage.put(&names::manifest(&self.record.run_id), manifest.clone()).await?;
            (self.unstaged_manifest, self.is_staged) = (None, true);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hype_wire::{End, Payload, Statistics};

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

        async fn keep_manifest(&self) {
            self.lease.keep_manifest(Bytes::from_static(b"manifest")).await.unwrap();
        }

        /// Ends the run. Returns the number of objects that it names.
        async fn end(&self, is_awaited: bool) -> usize {
            let value = End::Value(Payload::Inline(vec![1].into()));
            let outcome = Outcome::new(RUN.parse().unwrap(), 1, value, Statistics::default());
            let key = RunKey::new([1; 32]);
            self.lease.stage_end(&outcome, &key, is_awaited).await.unwrap().len()
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
        run.keep_manifest().await;
        assert_eq!(run.end(true).await, 0);
        assert_eq!(run.has().await, [false; 3]);
    }

    #[tokio::test]
    async fn run_is_staged_before_its_lease() {
        let run = Fixture::new();
        run.keep_manifest().await;
        run.lease.renew().await;
        assert_eq!(run.has().await, [true, true, false]);
        assert_eq!(run.end(true).await, 2);
        assert_eq!(run.has().await, [true; 3]);
    }

    #[tokio::test]
    async fn run_that_nobody_waits_for_is_staged_when_it_ends() {
        let run = Fixture::new();
        run.keep_manifest().await;
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
            run.keep_manifest().await;
            assert!(run.has().await[0], "{case}");
            assert_eq!(run.end(true).await, 2);
        }
    }

    #[tokio::test]
    async fn attached_run_is_staged_with_its_end() {
        let run = Fixture::new();
        run.keep_manifest().await;
        run.lease.attach().await;
        assert_eq!(run.end(true).await, 2);
        assert_eq!(run.has().await, [true; 3]);
    }

    #[tokio::test]
    async fn removed_run_is_not_staged() {
        let run = Fixture::new();
        run.keep_manifest().await;
        run.lease.close().await;
        run.lease.attach().await;
        run.end(false).await;
        assert_eq!(run.has().await, [false; 3]);
    }
}
