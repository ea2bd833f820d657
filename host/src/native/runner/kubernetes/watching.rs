//! One watch of all Pods of a submitter in a namespace, which its runs share.
//!
//! It begins with the first run and ends with the last. A watch that breaks is resumed where it was;
//! where the server has forgotten that, the Pods are listed again.

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

use super::patience::Patience;
use super::refusal::Trouble;

/// How long to wait before a watch that can't be had is asked for again, at first and at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long a watch may be silent before the server is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(5);

type Events = BoxStream<'static, Result<WatchEvent<Pod>, KubeError>>;

/// What is known of one Pod.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// As it was last seen.
    pub(crate) pod: Option<Arc<Pod>>,
    /// Whether it was there and isn't any more.
    pub(crate) is_gone: bool,
    /// Since when nothing can be seen, and why.
    pub(crate) trouble: Option<(Instant, Arc<KubeError>)>,
    /// Whether the server said that it made it.
    is_made: bool,
}

/// The watch, which follows Pods while somebody wants to know of one.
#[derive(Debug, Clone)]
pub(crate) struct Watch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    api: Api<Pod>,
    selector: String,
    patience: Patience,
    views: Mutex<Views>,
    /// Told when nobody wants to know of a Pod any more.
    left: Notify,
}

#[derive(Debug, Default)]
struct Views {
    by_name: HashMap<String, watch::Sender<View>>,
    is_followed: bool,
}

/// One Pod that somebody wants to know of.
#[derive(Debug)]
pub(crate) struct Watched {
    watch: Watch,
    name: String,
    pub(crate) view: watch::Receiver<View>,
}

impl Watch {
    /// A watch of the Pods of `api` with the labels of `selector`.
    pub(crate) fn new(api: Api<Pod>, selector: String, patience: Patience) -> Self {
        let (views, left) = (Mutex::default(), Notify::new());
        Self(Arc::new(Inner { api, selector, patience, views, left }))
    }

    /// What becomes of the Pod called `name`, which may not be there yet.
    pub(crate) fn watch(&self, name: &str) -> Watched {
        let mut views = self.0.views();
        let sender = watch::Sender::new(View::default());
        let view = sender.subscribe();
        views.by_name.insert(name.to_owned(), sender);
        if !std::mem::replace(&mut views.is_followed, true) {
            tokio::spawn(follow(Arc::clone(&self.0)));
        }
        Watched { watch: self.clone(), name: name.to_owned(), view }
    }
}

impl Watched {
    /// Takes note that the server has made the Pod: if it isn't there from now on, it is gone.
    pub(crate) fn is_made(&self) {
        if let Some(view) = self.watch.0.views().by_name.get(&self.name) {
            view.send_modify(|view| view.is_made = true);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut views = self.watch.0.views();
        views.by_name.remove(&self.name);
        if views.by_name.is_empty() {
            self.watch.0.left.notify_one();
        }
    }
}

async fn follow(inner: Arc<Inner>) {
    let (mut version, mut pause) = (None, PAUSES.0);
    loop {
        let looked = tokio::select! {
            looked = inner.look(&mut version) => looked,
            () = inner.left.notified() => Ok(()),
        };
        if inner.ends() {
            return;
        }
        match looked {
            Ok(()) => pause = PAUSES.0,
            Err(error) if Trouble::of(&error) == Trouble::Gone => version = None,
            Err(error) => {
                inner.is_troubled(error);
                tokio::select! {
                    // Nobody tells when a server is back.
                    () = tokio::time::sleep(pause) => {}
                    () = inner.left.notified() => {}
                }
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

impl Inner {
    fn views(&self) -> MutexGuard<'_, Views> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody wants to know of a Pod any more. Whoever does later begins anew.
    fn ends(&self) -> bool {
        let mut views = self.views();
        views.is_followed = !views.by_name.is_empty();
        !views.is_followed
    }

    /// Sees what there is and what becomes of it, from `version` on, until the server has enough.
    async fn look(&self, version: &mut Option<String>) -> Result<(), KubeError> {
        let from = match version {
            Some(from) => from,
            None => version.insert(self.list().await?),
        };
        let params = WatchParams::default().labels(&self.selector);
        let mut events = self.patience.once(self.api.watch(&params, from)).await?.boxed();
        self.is_clear();
        while let Some(event) = self.next(&mut events).await {
            let pod = match event? {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => self.is_seen(pod),
                WatchEvent::Deleted(pod) => self.is_gone(pod),
                WatchEvent::Bookmark(bookmark) => Some(bookmark.metadata.resource_version),
                WatchEvent::Error(status) => return Err(KubeError::Api(status)),
            };
            *version = pod.or(version.take());
        }
        Ok(())
    }

    /// The next of `events`. While there is none, the server is asked now and then whether it is still there: one that
    /// hangs breaks no watch.
    async fn next(&self, events: &mut Events) -> Option<Result<WatchEvent<Pod>, KubeError>> {
        loop {
            tokio::select! {
                event = events.next() => return event,
                () = tokio::time::sleep(SILENCE) => {}
            }
            let name = self.views().by_name.keys().next().cloned()?;
            let looked = self.patience.once(self.api.get_metadata_opt(&name)).await;
            // Whatever else it is, it is an answer.
            if let Err(error) = looked
                && Trouble::of(&error) == Trouble::Away
            {
                return Some(Err(error));
            }
        }
    }

    async fn list(&self) -> Result<String, KubeError> {
        let made: Vec<String> = {
            let views = self.views();
            let made = views.by_name.iter().filter(|(_, view)| view.borrow().is_made);
            made.map(|(name, _)| name.clone()).collect()
        };
        let params = ListParams::default().labels(&self.selector);
        let listed = self.patience.once(self.api.list(&params)).await?;
        let gone =
            made.iter().filter(|name| !listed.items.iter().any(|it| it.name_any() == **name));
        for name in gone {
            self.change(name, |view| view.is_gone = true);
        }
        let version = listed.metadata.resource_version.clone().unwrap_or_default();
        for pod in listed.items {
            self.is_seen(pod);
        }
        Ok(version)
    }

    fn is_seen(&self, pod: Pod) -> Option<String> {
        let version = pod.resource_version();
        let name = pod.name_any();
        let pod = Arc::new(pod);
        self.change(&name, |view| view.pod = Some(pod));
        version
    }

    fn is_gone(&self, pod: Pod) -> Option<String> {
        let name = pod.name_any();
        let version = self.is_seen(pod);
        self.change(&name, |view| view.is_gone = true);
        version
    }

    /// Tells all that nothing can be seen.
    fn is_troubled(&self, error: KubeError) {
        let error = Arc::new(error);
        for view in self.views().by_name.values() {
            view.send_modify(|view| {
                let since = view.trouble.as_ref().map_or_else(Instant::now, |(since, _)| *since);
                view.trouble = Some((since, Arc::clone(&error)));
            });
        }
    }

    fn is_clear(&self) {
        for view in self.views().by_name.values() {
            view.send_if_modified(|view| view.trouble.take().is_some());
        }
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut View)) {
        if let Some(view) = self.views().by_name.get(name) {
            view.send_modify(change);
        }
    }
}
