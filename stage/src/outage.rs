//! What a person is told of a server that gives no answers.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After how long without an answer a server is told to be away.
const SILENCE: Duration = Duration::from_secs(5);

/// The servers that this process asks, by their names.
static SERVERS: LazyLock<Mutex<HashMap<String, Outage>>> = LazyLock::new(Mutex::default);

/// Whether a server answers, as all of this process have seen that ask it. One line tells that it hasn't answered for
/// 5 seconds, and one that it answers again. Clones are one.
#[derive(Debug, Clone)]
pub struct Outage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: String,
    silence: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Since when there was no answer.
    since: Option<Instant>,
    is_told: bool,
}

impl Outage {
    /// That of the server called so, as messages name it: `the API server at https://..`.
    pub fn of(server: &str) -> Self {
        let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
        let outage = servers.entry(server.to_owned()).or_insert_with(|| Self::new(server, SILENCE));
        outage.clone()
    }

    fn new(server: &str, silence: Duration) -> Self {
        Self(Arc::new(Inner { server: server.to_owned(), silence, state: Mutex::default() }))
    }

    /// What `request` gives, or the pause before another. Tells that there is no answer once that has lasted.
    pub async fn watch<T>(&self, request: impl Future<Output = T>) -> T {
        self.watch_longer(Duration::ZERO, request).await
    }

    /// The same of a request that takes so much longer by itself, since it is large.
    pub async fn watch_longer<T>(&self, by: Duration, request: impl Future<Output = T>) -> T {
        let (mut request, began) = (pin!(request), Instant::now() + by);
        let since = self.state().since.unwrap_or(began);
        let due = tokio::time::sleep_until((since + self.0.silence).into());
        tokio::select! {
            biased;
            answer = &mut request => return answer,
            () = due => {}
        }
        self.is_silent(since, None);
        request.await
    }

    /// Takes note that a request, which began then, was not answered, and why.
    pub fn failed(&self, began: Instant, why: &dyn std::fmt::Display) {
        let since = *self.state().since.get_or_insert(began);
        if since.elapsed() >= self.0.silence {
            self.is_silent(since, Some(why));
        }
    }

    /// Takes note of an answer.
    pub fn answered(&self) {
        let State { since, is_told } = std::mem::take(&mut *self.state());
        if let (Some(since), true) = (since, is_told) {
            tracing::info!(
                "{} answers again, after {} s",
                self.0.server,
                since.elapsed().as_secs()
            );
        }
    }

    fn is_silent(&self, since: Instant, why: Option<&dyn std::fmt::Display>) {
        let mut state = self.state();
        state.since.get_or_insert(since);
        if std::mem::replace(&mut state.is_told, true) {
            return;
        }
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        tracing::warn!(
            "{} has not answered for {:?}, and is asked again{why}",
            self.0.server,
            self.0.silence
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_told(outage: &Outage) -> bool {
        outage.state().is_told
    }

    #[tokio::test]
    async fn a_request_that_hangs_is_told_while_it_does() {
        let outage = Outage::new("the server", Duration::from_millis(1));
        outage.watch(std::future::ready(())).await;
        assert!(!is_told(&outage));
        let told = async {
            while !is_told(&outage) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = outage.watch(std::future::pending()) => {}
            () = told => {}
        }
        outage.answered();
        assert!(!is_told(&outage));
    }

    #[test]
    fn failures_count_from_the_first() {
        let outage = Outage::new("the server", Duration::ZERO);
        outage.failed(Instant::now(), &"refused");
        assert!(is_told(&outage));
        let patient = Outage::new("the server", Duration::from_secs(3600));
        patient.failed(Instant::now(), &"refused");
        assert!(!is_told(&patient));
    }

    #[test]
    fn all_who_ask_one_server_share_what_is_told() {
        let (one, other) = (Outage::of("one server"), Outage::of("one server"));
        one.is_silent(Instant::now(), None);
        assert!(is_told(&other));
        other.answered();
        assert!(!is_told(&one));
    }
}
