//! Retries after transient errors, with exponential backoff.
//!
//! The providers' clients retry status codes 5xx, 429 and 408, and most broken connections. They don't retry a
//! request that may have been carried out, nor a response whose body broke off. All operations of a stage are
//! idempotent, so this module retries these cases, within the same time.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use object_store::Error;

/// The maximum backoff after the first failure. It doubles with each further failure.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// The maximum backoff.
const MAX_BACKOFF: Duration = Duration::from_secs(15);

/// The time for which an operation is retried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy(Duration);

impl RetryPolicy {
    /// The default retry time.
    pub(crate) const DEFAULT_TIME: Duration = Duration::from_secs(3 * 60);

    pub(crate) fn new(time: Duration) -> Self {
        Self(time)
    }

    /// Runs `request`, and retries it on transient errors until the retry time has passed.
    pub(crate) async fn run<T, F: Future<Output = Result<T, Error>>>(
        self,
        mut request: impl FnMut() -> F,
    ) -> Result<T, Error> {
        let mut retries = self.start();
        loop {
            match request().await {
                Err(error) if retries.back_off(&error).await => {}
                result => return result,
            }
        }
    }

    /// Starts the retry time of an operation.
    pub(crate) fn start(self) -> Retries {
        Retries { started: Instant::now(), time: self.0, failures: 0 }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new(Self::DEFAULT_TIME)
    }
}

/// The retries of one operation.
#[derive(Debug)]
pub(crate) struct Retries {
    started: Instant,
    time: Duration,
    failures: u32,
}

impl Retries {
    /// Waits for the backoff and returns true if the operation should be retried after `error`.
    pub(crate) async fn back_off(&mut self, error: &Error) -> bool {
        if !is_transient(error) || self.started.elapsed() >= self.time {
            return false;
        }
        tokio::time::sleep(backoff(self.failures, random())).await;
        self.failures += 1;
        true
    }
}

/// Returns a backoff between half of the maximum after so many failures and the maximum, by `random`.
fn backoff(failures: u32, random: u64) -> Duration {
    let max = FIRST_BACKOFF.saturating_mul(1 << failures.min(16)).min(MAX_BACKOFF);
    let part = (random % 1000) as u32;
    max / 2 + max / 2 * part / 1000
}

fn random() -> u64 {
    // Each `RandomState` has different random keys.
    RandomState::new().hash_one(0)
}

/// Returns whether a retry may succeed.
fn is_transient(error: &Error) -> bool {
    if !matches!(error, Error::Generic { .. }) {
        return false;
    }
    let mut causes =
        std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |cause| {
            cause.source()
        });
    causes.any(is_broken_connection)
}

fn is_broken_connection(cause: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, TimedOut, UnexpectedEof,
    };
    #[cfg(feature = "cloud")]
    if let Some(error) = cause.downcast_ref::<object_store::client::HttpError>() {
        return !is_untrusted(error);
    }
    cause.downcast_ref::<std::io::Error>().is_some_and(|error| {
        let transient =
            [BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, TimedOut, UnexpectedEof];
        transient.contains(&error.kind())
    })
}

/// Returns whether the server's certificate is invalid. hyper and reqwest wrap the error of rustls in types that
/// expose only its text.
#[cfg(feature = "cloud")]
fn is_untrusted(error: &object_store::client::HttpError) -> bool {
    let causes =
        std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |cause| {
            cause.source()
        });
    causes.into_iter().any(|cause| cause.to_string().contains("invalid peer certificate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(kind: std::io::ErrorKind) -> Error {
        Error::Generic { store: "test", source: Box::new(std::io::Error::from(kind)) }
    }

    #[test]
    fn backoff_grows_to_its_maximum() {
        assert_eq!(backoff(0, 0), Duration::from_millis(50));
        assert_eq!(backoff(3, 0), Duration::from_millis(400));
        assert_eq!(backoff(3, 500), Duration::from_millis(600));
        assert!(backoff(40, 999) < MAX_BACKOFF);
    }

    #[tokio::test]
    async fn transient_error_is_retried() {
        let mut attempts = 0;
        let policy = RetryPolicy::new(Duration::from_secs(60));
        let request = || {
            attempts += 1;
            let failed = failing(std::io::ErrorKind::ConnectionReset);
            std::future::ready(if attempts < 4 { Err(failed) } else { Ok(attempts) })
        };
        assert_eq!(policy.run(request).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn permanent_error_is_not_retried() {
        let policy = RetryPolicy::new(Duration::from_secs(60));
        for error in [
            failing(std::io::ErrorKind::PermissionDenied),
            Error::NotFound { path: String::new(), source: "no".into() },
        ] {
            let (mut attempts, mut error) = (0, Some(error));
            let request = || {
                attempts += 1;
                std::future::ready(Err::<(), _>(error.take().unwrap()))
            };
            policy.run(request).await.unwrap_err();
            assert_eq!(attempts, 1);
        }
    }

    #[tokio::test]
    async fn retries_end_after_the_retry_time() {
        let mut attempts = 0;
        let policy = RetryPolicy::new(Duration::from_millis(60));
        let request = || {
            attempts += 1;
            std::future::ready(Err::<(), _>(failing(std::io::ErrorKind::TimedOut)))
        };
        policy.run(request).await.unwrap_err();
        assert!(attempts > 1);
    }
}
