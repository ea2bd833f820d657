//! What Kubernetes' events say of a Pod that doesn't start, or of the claims that it waits for.

use std::pin::Pin;
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};

/// How long to wait before a watch that broke is asked for again.
const PAUSE: Duration = Duration::from_secs(2);

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) reason: String,
    pub(crate) message: String,
}

pub(crate) type Words = Pin<Box<dyn Stream<Item = Word> + Send>>;

/// What is said of the Pod called `pod`, from the first on. Who may not see events hears nothing.
pub(crate) fn of_pod(events: Api<Event>, pod: &str) -> Words {
    let fields = format!("involvedObject.kind=Pod,involvedObject.name={pod}");
    let params = WatchParams::default().fields(&fields);
    let watches = stream::unfold((events, params, false), async |(events, params, again)| {
        if again {
            tokio::time::sleep(PAUSE).await;
        }
        // From there on a server tells what there is, and then what comes.
        let watched = events.watch(&params, "0").await.ok()?.boxed();
        Some((watched, (events, params, true)))
    });
    let words = watches.flatten().filter_map(async |event| match event {
        Ok(WatchEvent::Added(event) | WatchEvent::Modified(event)) => Some(word(event)),
        _ => None,
    });
    // Who hears nothing more may ask again.
    Box::pin(words.fuse())
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
