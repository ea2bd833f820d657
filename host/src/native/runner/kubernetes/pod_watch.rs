//! A shared watch of all Pods of a submitter in a namespace.
//!
//! It starts with the first run and ends with the last. An interrupted watch resumes at its last resource version; if that
//! has expired, the Pods are listed again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Error as KubeError, ResourceExt};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::api_error::ErrorClass;
use super::retry::Retry;

/// The initial and maximum backoff after a watch has failed.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The time that a watch may be silent before a request checks that the server is reachable.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

type Events = BoxStream<'static, Result<WatchEvent<Pod>, KubeError>>;

/// The known state of one Pod.
#[derive(Debug, Clone, Default)]
pub(crate) struct PodView {
    /// The last received version of the Pod.
    pub(crate) pod: Option<Arc<Pod>>,
    /// Whether the Pod was deleted.
    pub(crate) is_deleted: bool,
    /// The begin and error of an outage, during which this state may be stale.
    pub(crate) outage: Option<(Instant, Arc<KubeError>)>,
    /// Whether the server has confirmed the creation.
    is_created: bool,
}

/// The watch, which runs while a [`WatchedPod`] exists.
#[derive(Debug, Clone)]
pub(crate) struct PodWatch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    api: Api<Pod>,
    selector: String,
    retry: Retry,
    views: Mutex<Views>,
    /// Notified when the last watched Pod is dropped.
    unsubscribed: Notify,
}

#[derive(Debug, Default)]
struct Views {
    by_name: HashMap<String, watch::Sender<PodView>>,
    is_watched: bool,
}

/// A subscription to the state of one Pod.
#[derive(Debug)]
pub(crate) struct WatchedPod {
    watch: PodWatch,
    name: String,
    pub(crate) view: watch::Receiver<PodView>,
}

impl PodWatch {
    /// Creates a watch of the Pods of `api` that match the label `selector`.
    pub(crate) fn new(api: Api<Pod>, selector: String, retry: Retry) -> Self {
        let (views, unsubscribed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Inner { api, selector, retry, views, unsubscribed }))
    }

    /// Subscribes to the state of the Pod `name`, which need not exist yet.
    pub(crate) fn subscribe(&self, name: &str) -> WatchedPod {
        let mut views = self.0.views();
        let sender = watch::Sender::new(PodView::default());
        let view = sender.subscribe();
        views.by_name.insert(name.to_owned(), sender);
        if !std::mem::replace(&mut views.is_watched, true) {
            tokio::spawn(watch_until_unused(Arc::clone(&self.0)));
        }
        WatchedPod { watch: self.clone(), name: name.to_owned(), view }
    }
}

impl WatchedPod {
    /// Records that the server has created the Pod: from now on, a missing Pod was deleted.
    pub(crate) fn mark_created(&self) {
        if let Some(view) = self.watch.0.views().by_name.get(&self.name) {
            view.send_modify(|view| view.is_created = true);
        }
    }
}

impl Drop for WatchedPod {
    fn drop(&mut self) {
        let mut views = self.watch.0.views();
        views.by_name.remove(&self.name);
        if views.by_name.is_empty() {
            self.watch.0.unsubscribed.notify_one();
        }
    }
}

async fn watch_until_unused(inner: Arc<Inner>) {
    let (mut version, mut backoff) = (None, BACKOFF.0);
    loop {
        let result = tokio::select! {
            result = inner.watch_once(&mut version) => result,
            () = inner.unsubscribed.notified() => Ok(()),
        };
        if inner.stop_if_unused() {
            return;
        }
        match result {
            Ok(()) => backoff = BACKOFF.0,
            Err(error) if ErrorClass::of(&error) == ErrorClass::Gone => version = None,
            Err(error) => {
                inner.mark_unreachable(error);
                tokio::select! {
                    // No event reports that the server is back, so this polls.
                    () = tokio::time::sleep(backoff) => {}
                    () = inner.unsubscribed.notified() => {}
                }
                backoff = (backoff * 2).min(BACKOFF.1);
            }
        }
    }
}

impl Inner {
    fn views(&self) -> MutexGuard<'_, Views> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if no watched Pod is left, and marks the watch as stopped, so that the next one starts it again.
    fn stop_if_unused(&self) -> bool {
        let mut views = self.views();
        views.is_watched = !views.by_name.is_empty();
        !views.is_watched
    }

    /// Records all changes after `version`, until the server ends the watch. Without a version, lists the Pods first.
    async fn watch_once(&self, version: &mut Option<String>) -> Result<(), KubeError> {
        let from = match version {
            Some(from) => from,
            None => version.insert(self.list().await?),
        };
        let params = WatchParams::default().labels(&self.selector);
        let mut events = self.retry.run_once(self.api.watch(&params, from)).await?.boxed();
        self.mark_reachable();
        while let Some(event) = self.next(&mut events).await {
            let new_version = match event? {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => self.record_pod(pod),
                WatchEvent::Deleted(pod) => self.mark_deleted(pod),
                WatchEvent::Bookmark(bookmark) => Some(bookmark.metadata.resource_version),
                WatchEvent::Error(status) => return Err(KubeError::Api(status)),
            };
            *version = new_version.or(version.take());
        }
        Ok(())
    }

    /// Returns the next event. Probes the server during silence, since a server that hangs doesn't end its watches.
    async fn next(&self, events: &mut Events) -> Option<Result<WatchEvent<Pod>, KubeError>> {
        loop {
            tokio::select! {
                event = events.next() => return event,
                () = tokio::time::sleep(PROBE_INTERVAL) => {}
            }
            let name = self.views().by_name.keys().next().cloned()?;
            let probe = self.retry.run_once(self.api.get_metadata_opt(&name)).await;
            // Any other error proves that the server is reachable.
            if let Err(error) = probe
                && ErrorClass::of(&error) == ErrorClass::Transient
            {
                return Some(Err(error));
            }
        }
    }

    async fn list(&self) -> Result<String, KubeError> {
        let created: Vec<String> = {
            let views = self.views();
            let created = views.by_name.iter().filter(|(_, view)| view.borrow().is_created);
            created.map(|(name, _)| name.clone()).collect()
        };
        let params = ListParams::default().labels(&self.selector);
        let listed = self.retry.run_once(self.api.list(&params)).await?;
        let deleted =
            created.iter().filter(|name| !listed.items.iter().any(|it| it.name_any() == **name));
        for name in deleted {
            self.change(name, |view| view.is_deleted = true);
        }
        let version = listed.metadata.resource_version.clone().unwrap_or_default();
        for pod in listed.items {
            self.record_pod(pod);
        }
        Ok(version)
    }

    fn record_pod(&self, pod: Pod) -> Option<String> {
        let version = pod.resource_version();
        let name = pod.name_any();
        let pod = Arc::new(pod);
        self.change(&name, |view| view.pod = Some(pod));
        version
    }

    fn mark_deleted(&self, pod: Pod) -> Option<String> {
        let name = pod.name_any();
        let version = self.record_pod(pod);
        self.change(&name, |view| view.is_deleted = true);
        version
    }

    /// Marks all views as stale, and keeps the begin of an ongoing outage.
    fn mark_unreachable(&self, error: KubeError) {
        let error = Arc::new(error);
        for view in self.views().by_name.values() {
            view.send_modify(|view| {
                let since = view.outage.as_ref().map_or_else(Instant::now, |(since, _)| *since);
                view.outage = Some((since, Arc::clone(&error)));
            });
        }
    }

    fn mark_reachable(&self) {
        for view in self.views().by_name.values() {
            view.send_if_modified(|view| view.outage.take().is_some());
        }
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut PodView)) {
        if let Some(view) = self.views().by_name.get(name) {
            view.send_modify(change);
        }
    }
}
