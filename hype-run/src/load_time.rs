//! The part of a run's timeout that loading its component takes.

use std::time::{Duration, Instant};

use hype_wire::{Failure, FailureKind, Job};

use crate::run::as_micros;

/// The time that was spent on loading the component of a run, bounded by the run's timeout. Fetching bytes from the stage
/// isn't counted.
#[derive(Debug)]
pub(crate) struct LoadTime<'a> {
    component: &'a str,
    timeout: Option<Duration>,
    spent: Duration,
}

/// A run's timeout, and the rest of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeoutLeft {
    pub(crate) timeout: Duration,
    pub(crate) left: Duration,
}

impl<'a> LoadTime<'a> {
    /// Returns the time of `job`, of which nothing is spent.
    pub(crate) fn of(job: &'a Job) -> Self {
        let timeout = job.limits.timeout();
        Self { component: &job.component.name, timeout, spent: Duration::ZERO }
    }

    /// Returns the timeout and the rest of it.
    pub(crate) fn timeout_left(&self) -> Option<TimeoutLeft> {
        self.timeout.zip(self.left()).map(|(timeout, left)| TimeoutLeft { timeout, left })
    }

    /// Returns the rest of the timeout.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.timeout.map(|timeout| timeout.saturating_sub(self.spent))
    }

    /// Returns the spent time in microseconds.
    pub(crate) fn spent_us(&self) -> u64 {
        as_micros(self.spent)
    }

    /// Waits for `work`, and counts its time.
    pub(crate) async fn measure<T>(&mut self, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let ended = work.await;
        self.spent += started.elapsed();
        ended
    }

    /// Waits for `work` until the timeout passes, and counts its time.
    ///
    /// # Errors
    ///
    /// A failure of the kind `deadline` if the timeout passes first.
    pub(crate) async fn bound<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        match self.left() {
            None => Ok(self.measure(work).await),
            Some(left) => {
                self.measure(tokio::time::timeout(left, work)).await.map_err(|_| self.deadline())
            }
        }
    }

    fn deadline(&self) -> Failure {
        let timeout = self.timeout.unwrap_or(Duration::MAX);
        let problem = format!(
            "component {} was not loaded within the run's timeout of {timeout:?}; another run may still load it",
            self.component
        );
        Failure::new(FailureKind::Deadline, problem)
    }
}

#[cfg(test)]
mod tests {
    use hype_wire::{Blob, ComponentRef};

    use super::*;

    #[tokio::test]
    async fn steps_of_loading_share_one_timeout() {
        let component = ComponentRef { name: "slow.wasm".to_owned(), blob: Blob::of(b"") };
        let mut job = Job::new(component);
        job.limits.timeout_ms = Some(60_000);
        let mut time = LoadTime::of(&job);
        assert_eq!(time.bound(async { 1 }).await.unwrap(), 1);
        time.spent += Duration::from_secs(60);
        assert_eq!(time.left(), Some(Duration::ZERO));
        let failure = time.bound(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Deadline);
        assert!(failure.message.contains("slow.wasm"), "{failure:?}");
        assert!(time.spent_us() >= 60_000_000);
    }
}
