//! Warnings about a server that doesn't respond.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The time without a response after which a warning is logged.
const WARN_AFTER: Duration = Duration::from_secs(5);

/// The servers that this process uses, by name.
static SERVERS: LazyLock<Mutex<HashMap<String, Outage>>> = LazyLock::new(Mutex::default);

/// The responsiveness of a server, shared by all its users in this process.
///
/// Logs a warning if the server hasn't responded for 5 seconds, and a line when it responds again. Clones
/// share their state.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::Instant;
///
/// use hype_stage::Outage;
///
/// let outage = Outage::of("the API server at https://10.0.0.1");
/// let started = Instant::now();
/// match outage.watch(async { "200 OK".parse::<u16>() }).await {
///     Ok(_) => outage.record_response(),
///     Err(error) => outage.record_failure(started, &error),
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Outage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: String,
    warn_after: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The start of the first request without a response.
    since: Option<Instant>,
    is_reported: bool,
}

impl Outage {
    /// Returns the shared state of a server, named as in messages: `the API server at https://..`.
    pub fn of(server: &str) -> Self {
        let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
        let outage =
            servers.entry(server.to_owned()).or_insert_with(|| Self::new(server, WARN_AFTER));
        outage.clone()
    }

    fn new(server: &str, warn_after: Duration) -> Self {
        Self(Arc::new(Inner { server: server.to_owned(), warn_after, state: Mutex::default() }))
    }

    /// Awaits `request`, or a pause before a retry. Logs a warning if the server stays silent for 5 seconds.
    pub async fn watch<T>(&self, request: impl Future<Output = T>) -> T {
        self.watch_longer(Duration::ZERO, request).await
    }

    /// Awaits a large `request`. Logs a warning if the server stays silent for `extra` plus 5 seconds.
    pub async fn watch_longer<T>(&self, extra: Duration, request: impl Future<Output = T>) -> T {
        let (mut request, started) = (pin!(request), Instant::now() + extra);
        let since = self.state().since.unwrap_or(started);
        let due = tokio::time::sleep_until((since + self.0.warn_after).into());
        tokio::select! {
            biased;
            response = &mut request => return response,
            () = due => {}
        }
        self.report_silence(since, None);
        request.await
    }

    /// Records that a request failed without a response, with its start and the reason.
    pub fn record_failure(&self, started: Instant, reason: &dyn std::fmt::Display) {
        let since = *self.state().since.get_or_insert(started);
        if since.elapsed() >= self.0.warn_after {
            self.report_silence(since, Some(reason));
        }
    }

    /// Records a response.
    pub fn record_response(&self) {
        let State { since, is_reported } = std::mem::take(&mut *self.state());
        if let (Some(since), true) = (since, is_reported) {
            tracing::info!(
                "{} answers again, after {} s",
                self.0.server,
                since.elapsed().as_secs()
            );
        }
    }

    fn report_silence(&self, since: Instant, reason: Option<&dyn std::fmt::Display>) {
        let mut state = self.state();
        state.since.get_or_insert(since);
        if std::mem::replace(&mut state.is_reported, true) {
            return;
        }
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        tracing::warn!(
            "{} has not answered for {:?}, and is asked again{reason}",
            self.0.server,
            self.0.warn_after
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_reported(outage: &Outage) -> bool {
        outage.state().is_reported
    }

    #[tokio::test]
    async fn hanging_request_is_reported() {
        let outage = Outage::new("the server", Duration::from_millis(1));
        outage.watch(std::future::ready(())).await;
        assert!(!is_reported(&outage));
        let reported = async {
            while !is_reported(&outage) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = outage.watch(std::future::pending()) => {}
            () = reported => {}
        }
        outage.record_response();
        assert!(!is_reported(&outage));
    }

    #[test]
    fn failures_are_reported_after_the_warning_time() {
        let outage = Outage::new("the server", Duration::ZERO);
        outage.record_failure(Instant::now(), &"refused");
        assert!(is_reported(&outage));
        let patient = Outage::new("the server", Duration::from_secs(3600));
        patient.record_failure(Instant::now(), &"refused");
        assert!(!is_reported(&patient));
    }

    #[test]
    fn outage_of_a_server_is_known_to_all_its_clients() {
        let (one, other) = (Outage::of("one server"), Outage::of("one server"));
        one.report_silence(Instant::now(), None);
        assert!(is_reported(&other));
        other.record_response();
        assert!(!is_reported(&one));
    }
}
