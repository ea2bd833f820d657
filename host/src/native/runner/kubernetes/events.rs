//! Events about Pods that don't start, and about the claims that they wait for.
//!
//! The runs of a namespace share one watch of events, since an API server reads all events of the namespace at the start
//! of each watch. It starts with the first run that requests it, and ends with the last.
//!
//! Events only explain a delay. So they are requested without the [retries](super::retry) of other requests: those would
//! report an outage that affects no run, and delay the end of a run.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::sync::{Notify, mpsc};

/// The initial and maximum backoff after a watch has failed.
const WATCH_BACKOFF: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// The reason code and message of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventNote {
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// The events about Pods of a namespace, dispatched to its runs.
#[derive(Debug, Clone)]
pub(crate) struct Events(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    api: Api<Event>,
    subscribers: Mutex<Subscribers>,
    /// Notified when the last subscriber is dropped.
    unsubscribed: Notify,
}

#[derive(Debug, Default)]
struct Subscribers {
    by_pod: HashMap<String, mpsc::UnboundedSender<EventNote>>,
    is_watched: bool,
}

/// The events about one Pod, once [`start`](Self::start) was called.
#[derive(Debug)]
pub(crate) struct PodEvents {
    events: Events,
    pod: String,
    rx: mpsc::UnboundedReceiver<EventNote>,
}

impl Events {
    pub(crate) fn new(api: Api<Event>) -> Self {
        Self(Arc::new(Inner { api, subscribers: Mutex::default(), unsubscribed: Notify::new() }))
    }

    /// Subscribes to events about the Pod `pod`.
    pub(crate) fn of_pod(&self, pod: &str) -> PodEvents {
        let (tx, rx) = mpsc::unbounded_channel();
        self.0.subscribers().by_pod.insert(pod.to_owned(), tx);
        PodEvents { events: self.clone(), pod: pod.to_owned(), rx }
    }
}

impl PodEvents {
    /// Starts the watch for past and future events. Without permission to read events, none are received.
    pub(crate) fn start(&self) {
        let inner = &self.events.0;
        if !std::mem::replace(&mut inner.subscribers().is_watched, true) {
            tokio::spawn(watch_until_unused(Arc::clone(inner)));
        }
    }

    /// Waits for the next event.
    pub(crate) async fn next(&mut self) -> Option<EventNote> {
        self.rx.recv().await
    }
}

impl Drop for PodEvents {
    fn drop(&mut self) {
        let mut subscribers = self.events.0.subscribers();
        subscribers.by_pod.remove(&self.pod);
        if subscribers.by_pod.is_empty() {
            self.events.0.unsubscribed.notify_one();
        }
    }
}

async fn watch_until_unused(inner: Arc<Inner>) {
    let mut backoff = WATCH_BACKOFF.0;
    loop {
        // A server that has just restarted may deny the watch for some seconds.
        let watch = async {
            let has_failed = inner.watch_once().await.is_err();
            backoff = if has_failed { (backoff * 2).min(WATCH_BACKOFF.1) } else { WATCH_BACKOFF.0 };
            tokio::time::sleep(backoff).await;
        };
        let mut watch = pin!(watch);
        loop {
            tokio::select! {
                () = &mut watch => break,
                () = inner.unsubscribed.notified() => if inner.stop_if_unused() { return },
            }
        }
        if inner.stop_if_unused() {
            return;
        }
    }
}

impl Inner {
    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if no subscriber is left, and marks the watch as stopped, so that the next one starts it again.
    fn stop_if_unused(&self) -> bool {
        let mut subscribers = self.subscribers();
        subscribers.is_watched = !subscribers.by_pod.is_empty();
        !subscribers.is_watched
    }

    /// Dispatches past and new events until the server ends the watch.
    async fn watch_once(&self) -> kube::Result<()> {
        let params = WatchParams::default().fields("involvedObject.kind=Pod");
        // From version 0, a server sends the existing events and then new ones.
        let mut events = self.api.watch(&params, "0").await?.boxed();
        while let Some(event) = events.next().await {
            if let Ok(WatchEvent::Added(event) | WatchEvent::Modified(event)) = event {
                self.dispatch(event);
            }
        }
        Ok(())
    }

    fn dispatch(&self, event: Event) {
        let pod = event.involved_object.name.clone().unwrap_or_default();
        if let Some(tx) = self.subscribers().by_pod.get(&pod) {
            // A closed channel means that the subscriber is being dropped.
            let _ = tx.send(note(event));
        }
    }
}

/// The initial and maximum delay between two requests for events about claims.
const CLAIM_POLL_DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Polls the events about the claims that a Pod waits for.
pub(crate) struct ClaimEvents {
    events: Api<Event>,
    claims: Vec<String>,
    delay: Duration,
}

impl ClaimEvents {
    pub(crate) fn new(events: Api<Event>, claims: &[String]) -> Self {
        Self { events, claims: claims.to_vec(), delay: CLAIM_POLL_DELAYS.0 }
    }

    /// Sleeps until the next poll, then returns a line for the last event of each claim
    /// (PersistentVolumeClaim). Never returns if there are no claims.
    pub(crate) async fn poll(&mut self) -> Vec<String> {
        if self.claims.is_empty() {
            return std::future::pending().await;
        }
        tokio::time::sleep(self.delay).await;
        self.delay = (self.delay * 2).min(CLAIM_POLL_DELAYS.1);
        of_claims(self.events.clone(), &self.claims).await
    }
}

/// Returns a line for the last event of each claim. Claims whose events cannot be listed are omitted.
pub(crate) async fn of_claims(events: Api<Event>, claims: &[String]) -> Vec<String> {
    let mut messages = Vec::new();
    for claim in claims {
        let fields =
            format!("involvedObject.kind=PersistentVolumeClaim,involvedObject.name={claim}");
        let listed = events.list(&ListParams::default().fields(&fields)).await;
        let last = listed.ok().and_then(|listed| {
            listed.items.into_iter().max_by_key(|event| event.last_timestamp.clone())
        });
        messages.extend(last.map(note).map(|EventNote { reason, message }| {
            format!("claim {claim}: {reason}: {}", message.trim())
        }));
    }
    messages
}

/// The maximum number of events in the description of a Pod.
const MAX_EVENTS: usize = 20;

/// Returns a line for each of the latest events about a Pod, the oldest first. Returns none if they can't be listed.
pub(crate) async fn of_existing_pod(events: Api<Event>, pod: &str) -> Vec<String> {
    let fields = format!("involvedObject.kind=Pod,involvedObject.name={pod}");
    let Ok(listed) = events.list(&ListParams::default().fields(&fields)).await else {
        return Vec::new();
    };
    let mut events = listed.items;
    events.sort_by_key(|event| event.last_timestamp.clone());
    let latest = events.split_off(events.len().saturating_sub(MAX_EVENTS));
    let line = |EventNote { reason, message }| format!("{reason}: {}", message.trim());
    latest.into_iter().map(note).map(line).collect()
}

fn note(event: Event) -> EventNote {
    EventNote {
        reason: event.reason.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake_api_server::FakeApiServer;
    use super::*;

    async fn next_message(events: &mut PodEvents) -> String {
        events.next().await.unwrap().message
    }

    #[tokio::test]
    async fn runs_share_one_watch() {
        let server = FakeApiServer::start();
        let events = Events::new(Api::namespaced(server.client(), "default"));
        let (mut one, mut other) = (events.of_pod("one"), events.of_pod("other"));
        server.emit_event_for("one", "Pulling", "before the watch");
        one.start();
        assert_eq!(next_message(&mut one).await, "before the watch");
        other.start();
        server.emit_event_for("third", "Pulling", "unsubscribed");
        server.emit_event_for("other", "Pulling", "to the other");
        server.emit_event_for("one", "Pulling", "to the one");
        assert_eq!(next_message(&mut other).await, "to the other");
        assert_eq!(next_message(&mut one).await, "to the one");
        assert_eq!(server.requests(), ["WATCH events from 0"]);
    }

    #[tokio::test]
    async fn stopped_watch_restarts_for_a_new_subscriber() {
        let server = FakeApiServer::start();
        let events = Events::new(Api::namespaced(server.client(), "default"));
        for _ in 0..2 {
            let mut subscription = events.of_pod("pod");
            subscription.start();
            server.emit_event_for("pod", "Pulling", "something");
            assert_eq!(next_message(&mut subscription).await, "something");
        }
    }
}
