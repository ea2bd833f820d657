//! Retries of requests to an API server with exponential backoff, while it is unavailable and up to a timeout.

use std::time::{Duration, Instant};

use hype_stage::Outage;
use kube::Error as KubeError;

use super::api_error::{ErrorClass, chain};

/// The initial and maximum backoff.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The time to wait for a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// The time to retry a denied request: a server that has just restarted has no permissions for some seconds.
const DENIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// A retry policy: the timeouts, and the report of outages.
#[derive(Debug, Clone)]
pub(crate) struct Retry {
    timeout: Duration,
    /// The time to retry a denied request.
    denial_timeout: Duration,
    outage: Outage,
}

impl Retry {
    /// Creates a policy for the API server at `address` that retries for up to `timeout`.
    pub(crate) fn new(address: &str, timeout: Duration) -> Self {
        Self::of(&format!("the API server at {address}"), timeout)
    }

    /// Creates a policy for a server that messages call `server`.
    pub(crate) fn of(server: &str, timeout: Duration) -> Self {
        let denial_timeout = DENIAL_TIMEOUT.min(timeout);
        Self { timeout, denial_timeout, outage: Outage::of(server) }
    }

    /// Limits both timeouts to `limit`.
    pub(crate) fn at_most(&self, limit: Duration) -> Self {
        let (timeout, denial_timeout) = (self.timeout.min(limit), self.denial_timeout.min(limit));
        Self { timeout, denial_timeout, outage: self.outage.clone() }
    }

    /// Disables retries of denied requests, for optional requests.
    pub(crate) fn without_denial_retries(&self) -> Self {
        Self { denial_timeout: Duration::ZERO, ..self.clone() }
    }

    /// Retries `request` while the server is unavailable, and for some seconds while it denies the request. The request
    /// must be idempotent.
    pub(crate) async fn run<T, F>(&self, request: impl Fn() -> F) -> Result<T, KubeError>
    where
        F: Future<Output = Result<T, KubeError>>,
    {
        let (started, mut backoff) = (Instant::now(), BACKOFF.0);
        loop {
            let response = self.run_once(request()).await;
            let timeout = match response.as_ref().err().map(ErrorClass::of) {
                Some(ErrorClass::Transient) => self.timeout,
                Some(ErrorClass::Forbidden) => self.denial_timeout,
                _ => return response,
            };
            if started.elapsed() >= timeout {
                return response;
            }
            // No event reports that the server is back, so this polls.
            self.outage.watch(tokio::time::sleep(backoff)).await;
            backoff = (backoff * 2).min(BACKOFF.1);
        }
    }

    /// Makes a request once. Fails if there is no response within the timeout.
    pub(crate) async fn run_once<T>(
        &self,
        request: impl Future<Output = Result<T, KubeError>>,
    ) -> Result<T, KubeError> {
        let (began, timeout) = (Instant::now(), RESPONSE_TIMEOUT.min(self.timeout));
        let response = tokio::time::timeout(timeout, self.outage.watch(request)).await;
        let response = response.unwrap_or_else(|_| {
            Err(KubeError::Service(format!("there was no answer for {timeout:?}").into()))
        });
        match &response {
            Err(error) if ErrorClass::of(error) == ErrorClass::Transient => {
                self.outage.record_failure(began, &chain(error));
            }
            _ => self.outage.record_response(),
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use kube::core::Status;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// Returns how many requests a server gets that denies the first `denials`, and whether it accepts the last.
    async fn requests(retry: &Retry, denials: u32) -> (u32, bool) {
        let count = AtomicU32::new(0);
        let response = retry.run(|| {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            let status = Status { code: 403, message: "forbidden".into(), ..Default::default() };
            let denial = || KubeError::Api(Box::new(status));
            std::future::ready(if number <= denials { Err(denial()) } else { Ok(()) })
        });
        let is_answered = response.await.is_ok();
        (count.load(Ordering::Relaxed), is_answered)
    }

    #[tokio::test]
    async fn denial_is_retried() {
        let retry = Retry::of("a server with denials", LONG);
        assert_eq!(requests(&retry, 2).await, (3, true));
        assert_eq!(requests(&retry.without_denial_retries(), 2).await, (1, false));
    }

    #[tokio::test]
    async fn lasting_denial_fails_after_seconds() {
        let retry = Retry::of("a server with lasting denials", LONG);
        let short = Retry { denial_timeout: Duration::from_millis(150), ..retry };
        assert_eq!(requests(&short, 1000).await, (3, false));
        assert!(DENIAL_TIMEOUT <= Duration::from_secs(5));
    }
}
