//! What Kubernetes' events say of Pods that don't start, or of the claims that they wait for.
//!
//! One watch of what is said of the Pods in a namespace begins with the first run that asks, and ends with the last.
//! A server reads all events of a namespace for each that begins, whatever it selects.
//!
//! Events are news and nothing waits for them, so that they aren't asked for by the [patience](super::patience) of other
//! requests: that would tell of an outage that hinders nobody, and hold up the end of a run for what only explains it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::sync::{Notify, mpsc};

/// How long to wait before a watch that broke or was refused is asked for again, at first and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// What is said of the Pods of a namespace, to those of its runs who want to hear it.
#[derive(Debug, Clone)]
pub(crate) struct Events(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    api: Api<Event>,
    hearing: Mutex<Hearing>,
    /// Told when nobody hears any more.
    left: Notify,
}

#[derive(Debug, Default)]
struct Hearing {
    by_pod: HashMap<String, mpsc::UnboundedSender<Word>>,
    is_followed: bool,
}

/// What is said of one Pod, once somebody has asked.
#[derive(Debug)]
pub(crate) struct Words {
    events: Events,
    pod: String,
    said: mpsc::UnboundedReceiver<Word>,
}

impl Events {
    pub(crate) fn new(api: Api<Event>) -> Self {
        Self(Arc::new(Inner { api, hearing: Mutex::default(), left: Notify::new() }))
    }

    /// What will be said of the Pod called `pod`.
    pub(crate) fn of_pod(&self, pod: &str) -> Words {
        let (say, said) = mpsc::unbounded_channel();
        self.0.hearing().by_pod.insert(pod.to_owned(), say);
        Words { events: self.clone(), pod: pod.to_owned(), said }
    }
}

impl Words {
    /// Asks for all that was and will be said. Who may not see events hears nothing.
    pub(crate) fn ask(&self) {
        let inner = &self.events.0;
        if !std::mem::replace(&mut inner.hearing().is_followed, true) {
            tokio::spawn(follow(Arc::clone(inner)));
        }
    }

    /// The next that is said.
    pub(crate) async fn next(&mut self) -> Option<Word> {
        self.said.recv().await
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        let mut hearing = self.events.0.hearing();
        hearing.by_pod.remove(&self.pod);
        if hearing.by_pod.is_empty() {
            self.events.0.left.notify_one();
        }
    }
}

async fn follow(inner: Arc<Inner>) {
    let mut pause = PAUSES.0;
    loop {
        // A server that has just restarted may refuse for some seconds what it grants later.
        let look = async {
            let is_broken = inner.look().await.is_err();
            pause = if is_broken { (pause * 2).min(PAUSES.1) } else { PAUSES.0 };
            tokio::time::sleep(pause).await;
        };
        let mut look = pin!(look);
        loop {
            tokio::select! {
                () = &mut look => break,
                () = inner.left.notified() => if inner.ends() { return },
            }
        }
        if inner.ends() {
            return;
        }
    }
}

impl Inner {
    fn hearing(&self) -> MutexGuard<'_, Hearing> {
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody hears any more. Whoever asks later begins anew.
    fn ends(&self) -> bool {
        let mut hearing = self.hearing();
        hearing.is_followed = !hearing.by_pod.is_empty();
        !hearing.is_followed
    }

    /// Hears what was said, and what is said until the server has enough.
    async fn look(&self) -> kube::Result<()> {
        let params = WatchParams::default().fields("involvedObject.kind=Pod");
        // From there on a server tells what there is, and then what comes.
        let mut events = self.api.watch(&params, "0").await?.boxed();
        while let Some(event) = events.next().await {
            if let Ok(WatchEvent::Added(event) | WatchEvent::Modified(event)) = event {
                self.hear(event);
            }
        }
        Ok(())
    }

    fn hear(&self, event: Event) {
        let pod = event.involved_object.name.clone().unwrap_or_default();
        if let Some(say) = self.hearing().by_pod.get(&pod) {
            // One that doesn't hear it is about to go.
            let _ = say.send(word(event));
        }
    }
}

/// How long to wait before it is asked again what is said of claims, at first and at the most.
const CLAIM_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What is said of the claims that a Pod waits for, time and again.
pub(crate) struct ClaimNews {
    events: Api<Event>,
    claims: Vec<String>,
    pause: Duration,
}

impl ClaimNews {
    pub(crate) fn new(events: Api<Event>, claims: &[String]) -> Self {
        Self { events, claims: claims.to_vec(), pause: CLAIM_PAUSES.0 }
    }

    /// What is said of each claim after a while.
    pub(crate) async fn next(&mut self) -> Vec<String> {
        if self.claims.is_empty() {
            return std::future::pending().await;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(CLAIM_PAUSES.1);
        of_claims(self.events.clone(), &self.claims).await
    }
}

/// The last that is said of each of these claims; nothing where that can't be told.
pub(crate) async fn of_claims(events: Api<Event>, claims: &[String]) -> Vec<String> {
    let mut told = Vec::new();
    for claim in claims {
        let fields =
            format!("involvedObject.kind=PersistentVolumeClaim,involvedObject.name={claim}");
        let listed = events.list(&ListParams::default().fields(&fields)).await;
        let last = listed.ok().and_then(|listed| {
            listed.items.into_iter().max_by_key(|event| event.last_timestamp.clone())
        });
        told.extend(last.map(word).map(|Word { reason, message }| {
            format!("claim {claim}: {reason}: {}", message.trim())
        }));
    }
    told
}

fn word(event: Event) -> Word {
    Word { reason: event.reason.unwrap_or_default(), message: event.message.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::Scripted;
    use super::*;

    async fn heard(words: &mut Words) -> String {
        words.next().await.unwrap().message
    }

    #[tokio::test]
    async fn runs_that_ask_share_one_watch() {
        let server = Scripted::start();
        let events = Events::new(Api::namespaced(server.client(), "default"));
        let (mut one, mut other) = (events.of_pod("one"), events.of_pod("other"));
        server.event_of("one", "Pulling", "before anybody asked");
        one.ask();
        assert_eq!(heard(&mut one).await, "before anybody asked");
        other.ask();
        server.event_of("third", "Pulling", "of nobody's pod");
        server.event_of("other", "Pulling", "to the other");
        server.event_of("one", "Pulling", "to the one");
        assert_eq!(heard(&mut other).await, "to the other");
        assert_eq!(heard(&mut one).await, "to the one");
        assert_eq!(server.requests(), ["WATCH events from 0"]);
    }

    #[tokio::test]
    async fn who_asks_after_all_have_left_hears_too() {
        let server = Scripted::start();
        let events = Events::new(Api::namespaced(server.client(), "default"));
        for _ in 0..2 {
            let mut words = events.of_pod("pod");
            words.ask();
            server.event_of("pod", "Pulling", "something");
            assert_eq!(heard(&mut words).await, "something");
        }
    }
}
