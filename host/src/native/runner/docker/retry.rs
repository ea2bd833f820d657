//! Retries of requests to a Docker daemon, while it is unavailable and up to a timeout.

use std::time::{Duration, Instant};

use bollard::errors::Error as DockerError;
use hype_stage::Outage;

use super::daemon::status;

/// The time to wait between two attempts at a request.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// The time that a container that is being removed may keep a volume in use.
const VOLUME_RELEASE_TIMEOUT: Duration = Duration::from_secs(4);

/// The upper bound of the response timeout.
const MAX_RESPONSE_TIMEOUT: Duration = Duration::from_secs(120);

/// A retry policy: the timeout, and the report of outages.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    timeout: Duration,
    outage: Outage,
}

impl Retry {
    /// Creates a policy for the daemon at `address` that retries for up to `timeout`.
    pub(crate) fn new(address: &str, timeout: Duration) -> Self {
        Self { timeout, outage: Outage::of(&format!("the Docker daemon at {address}")) }
    }

    /// Retries `request` while the daemon is unavailable. The request must be idempotent.
    pub(crate) async fn run<T, F>(&self, request: impl Fn() -> F) -> Result<T, DockerError>
    where
        F: Future<Output = Result<T, DockerError>>,
    {
        self.run_while(is_unavailable, || self.outage.watch(request())).await
    }

    /// Retries a read-only request while the daemon is unavailable or responds with an internal error.
    pub(crate) async fn run_read<T, F>(&self, request: impl Fn() -> F) -> Result<T, DockerError>
    where
        F: Future<Output = Result<T, DockerError>>,
    {
        let is_transient =
            |error: &DockerError| is_unavailable(error) || status(error) == Some(500);
        self.run_while(is_transient, || self.outage.watch(request())).await
    }

    /// Retries a removal while the daemon is unavailable, and for some seconds while the resource is in use: a
    /// container that is being removed uses its volumes until it is gone.
    pub(crate) async fn run_removal<T, F>(&self, remove: impl Fn() -> F) -> Result<T, DockerError>
    where
        F: Future<Output = Result<T, DockerError>>,
    {
        let started = Instant::now();
        let is_transient = |error: &DockerError| {
            let is_used = status(error) == Some(409) && started.elapsed() < VOLUME_RELEASE_TIMEOUT;
            is_unavailable(error) || is_used
        };
        self.run_while(is_transient, || self.outage.watch(remove())).await
    }

    /// Retries a slow `request` while the daemon is unavailable. Unlike [`run`](Self::run), a late response is not
    /// reported as an outage.
    pub(crate) async fn run_slow<T, F>(&self, request: impl Fn() -> F) -> Result<T, DockerError>
    where
        F: Future<Output = Result<T, DockerError>>,
    {
        self.run_while(is_unavailable, request).await
    }

    /// Retries `request` while its error `is_transient`, up to the timeout.
    pub(crate) async fn run_while<T, E, F>(
        &self,
        is_transient: impl Fn(&E) -> bool,
        request: impl Fn() -> F,
    ) -> Result<T, E>
    where
        E: std::fmt::Display,
        F: Future<Output = Result<T, E>>,
    {
        let started = Instant::now();
        loop {
            let began = Instant::now();
            let response = request().await;
            let error = match &response {
                Err(error) if is_transient(error) => error,
                _ => {
                    self.outage.record_response();
                    return response;
                }
            };
            self.outage.record_failure(began, error);
            if started.elapsed() >= self.timeout {
                return response;
            }
            // No event reports that the daemon is back, so this polls.
            self.outage.watch(tokio::time::sleep(RETRY_INTERVAL)).await;
        }
    }
}

/// Returns how long to wait for the start of a response, for a policy with this `timeout`.
pub(crate) fn response_timeout(timeout: Duration) -> Duration {
    timeout.saturating_mul(4).clamp(Duration::from_secs(1), MAX_RESPONSE_TIMEOUT)
}

/// Returns whether there was no response, or one that asks to retry later.
fn is_unavailable(error: &DockerError) -> bool {
    match error {
        DockerError::DockerResponseServerError { status_code, .. } => {
            matches!(status_code, 429 | 502..=504)
        }
        DockerError::RequestTimeoutError
        | DockerError::IOError { .. }
        | DockerError::HyperResponseError { .. }
        | DockerError::HyperLegacyError { .. }
        | DockerError::SocketNotFoundError(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn server_error(status_code: u16) -> DockerError {
        DockerError::DockerResponseServerError { status_code, message: "no".into() }
    }

    #[tokio::test]
    async fn unavailable_daemon_is_retried_and_rejection_is_not() {
        for (error, tries) in [(503, 3), (500, 1), (404, 1), (409, 1)] {
            let requests = AtomicU32::new(0);
            let retry = Retry::new("a test", Duration::from_secs(60));
            let response = retry.run(|| {
                let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
                std::future::ready(if number < 3 { Err(server_error(error)) } else { Ok(()) })
            });
            assert_eq!(response.await.is_ok(), tries == 3, "{error}");
            assert_eq!(requests.load(Ordering::Relaxed), tries, "{error}");
        }
    }

    #[tokio::test]
    async fn read_is_retried_after_an_internal_error() {
        let requests = AtomicU32::new(0);
        let retry = Retry::new("a third test", Duration::from_secs(60));
        let response = retry.run_read(|| {
            let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
            std::future::ready(if number < 3 { Err(server_error(500)) } else { Ok(()) })
        });
        response.await.unwrap();
    }

    #[tokio::test]
    async fn retries_end_with_the_timeout() {
        let retry = Retry::new("another test", Duration::ZERO);
        let error = || std::future::ready(Err::<(), _>(DockerError::RequestTimeoutError));
        retry.run(error).await.unwrap_err();
    }
}
