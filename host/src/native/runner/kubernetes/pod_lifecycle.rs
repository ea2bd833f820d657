//! Creation and deletion of Pods.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::api_error::{ErrorClass, request_error, user_request_error};
use super::deletion::delete;
use super::pod_watch::WatchedPod;
use super::retry::Retry;
use super::snapshot::{PodSnapshot, ProcessState};
use crate::cleanup::pending;
use crate::configuration::Key;
use crate::error::{Error, Result};
use crate::runner::create_resource::create_resource;
use crate::runner::{Process, labels};

/// The grace period of a cancelled `hype-run`, in seconds.
pub(crate) const STOP_GRACE_SECONDS: u32 = 10;

/// The time to wait for the end of a cancelled `hype-run`.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// The time to wait for that end after a signal has asked the program to exit.
const HURRIED_STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// The time that a deletion retries while the API server is unreachable.
pub(crate) const REMOVAL_TIMEOUT: Duration = Duration::from_secs(60);

/// Creates `pod` and registers its deletion with the process's cleanup list. `watched` must watch this Pod.
pub(crate) async fn create_pod(
    pods: Api<Pod>,
    process: &Process,
    pod: Pod,
    watched: Arc<WatchedPod>,
    retry: Retry,
) -> Result<()> {
    let (name, created) = (pod.name_any(), Arc::new(OnceLock::new()));
    let namespace = pods.namespace().map(str::to_owned);
    let beside = process.cleanup.background_cleanup();
    let removal = Removal {
        pods: pods.clone(),
        requested: pod.clone(),
        created: Arc::clone(&created),
        watched: Arc::clone(&watched),
        retry: retry.at_most(REMOVAL_TIMEOUT),
    };
    let remove = async move {
        let what = format!("pod {}", removal.requested.name_any());
        match removal.has_ended() {
            // In the background, since an ended Pod uses no other resource of the list.
            true => beside.remove(what, Box::pin(removal.remove())),
            false => Box::pin(removal.remove()).await?,
        }
        Ok(())
    };
    let request = async move {
        let params = PostParams::default();
        let response = match retry.run(|| pods.create(&params, &pod)).await {
            Err(error) if ErrorClass::of(&error) == ErrorClass::Conflict => {
                find_ours(&pods, &pod, &retry).await.map_err(|conflict| (conflict, error))
            }
            response => response.map_err(|error| (None, error)),
        };
        // Only this request sets it.
        response.map(|pod| drop(created.set(pod)))
    };
    let removal = (&process.cleanup, format!("pod {name}"), remove.boxed());
    match create_resource(request.boxed(), Some(removal)).await? {
        Ok(()) => {
            watched.mark_created();
            Ok(())
        }
        Err((Some(conflict), _)) => Err(conflict),
        Err((None, error)) => Err(creation_error(&name, process, namespace.as_deref(), error)),
    }
}

/// Returns the error of a Pod that the API server rejects: its namespace or its service account may not exist.
fn creation_error(
    name: &str,
    process: &Process,
    namespace: Option<&str>,
    error: kube::Error,
) -> Error {
    let is_denied = matches!(ErrorClass::of(&error), ErrorClass::Forbidden | ErrorClass::NotFound);
    let mut error = user_request_error(format!("cannot create pod {name}"), error);
    if is_denied {
        if let Some(namespace) = namespace {
            error = error.concerning_value(Key::Namespace, namespace);
        }
        if let Some(account) = &process.env.placement().service_account {
            error = error.concerning_value(Key::ServiceAccount, account);
        }
    }
    error
}

/// Returns the existing Pod after a 409, if it is ours: created by a request whose response was lost.
async fn find_ours(
    pods: &Api<Pod>,
    pod: &Pod,
    retry: &Retry,
) -> std::result::Result<Pod, Option<Error>> {
    let name = pod.name_any();
    let existing = retry.run(|| pods.get(&name)).await.map_err(|_| None)?;
    if is_same(&existing, pod) {
        return Ok(existing);
    }
    Err(Some(Error::runner(format!("cannot create pod {name}"), "another pod of that name exists")))
}

/// Returns whether `found` is the Pod that this process requested: it has the labels of the run and the submitter, and
/// the digest of the run manifest.
fn is_same(found: &Pod, requested: &Pod) -> bool {
    let label = |pod: &Pod, name: &str| pod.labels().get(name).cloned();
    let digest = |pod: &Pod| pod.annotations().get(labels::MANIFEST).cloned();
    digest(found).is_some()
        && digest(found) == digest(requested)
        && [labels::RUN, labels::SUBMITTER].iter().all(|name| {
            let found = label(found, name);
            found.is_some() && found == label(requested, name)
        })
}

/// The deletion of a Pod.
struct Removal {
    pods: Api<Pod>,
    requested: Pod,
    /// The Pod as the API server returned it, once it has.
    created: Arc<OnceLock<Pod>>,
    watched: Arc<WatchedPod>,
    retry: Retry,
}

impl Removal {
    fn snapshot(&self) -> Option<PodSnapshot> {
        self.watched.view.borrow().pod.as_deref().map(PodSnapshot::of)
    }

    fn has_ended(&self) -> bool {
        let is_ended = |pod: PodSnapshot| {
            pod.final_phase.is_some() || matches!(pod.process, ProcessState::Ended(_))
        };
        self.watched.view.borrow().is_deleted || self.snapshot().is_some_and(is_ended)
    }

    /// Returns the Pod as the API server returned it. Without a response, reads it back; a Pod of another client with the
    /// same name is not returned.
    async fn find(&self) -> Result<Option<Pod>> {
        if let Some(pod) = self.created.get() {
            return Ok(Some(pod.clone()));
        }
        let name = self.requested.name_any();
        let found = self.retry.run(|| self.pods.get_opt(&name)).await;
        let found =
            found.map_err(|error| request_error(format!("cannot find pod {name}"), error))?;
        Ok(found.filter(|pod| is_same(pod, &self.requested)))
    }

    async fn remove(self) -> Result<()> {
        if self.watched.view.borrow().is_deleted {
            return Ok(());
        }
        let Some(pod) = self.find().await? else { return Ok(()) };
        let delete = |grace| delete(&self.pods, &pod, grace, &self.retry);
        if self.snapshot().is_some_and(|pod| pod.final_phase.is_some()) {
            return delete(Some(0)).await;
        }
        if self.has_ended() {
            // Other containers of the Pod get their own grace period.
            return delete(None).await;
        }
        if !self.snapshot().is_some_and(|pod| pod.process == ProcessState::Running) {
            // No process runs that needs a grace period.
            return delete(Some(0)).await;
        }
        delete(Some(STOP_GRACE_SECONDS)).await?;
        let mut view = self.watched.view.clone();
        // An error means that the watch has ended.
        let stopped = async { while !self.has_ended() && view.changed().await.is_ok() {} };
        let hurried = async {
            pending::cancelled().await;
            tokio::time::sleep(HURRIED_STOP_TIMEOUT).await;
        };
        tokio::select! {
            () = stopped => {}
            () = hurried => {}
            () = tokio::time::sleep(STOP_TIMEOUT) => {}
        }
        match self.has_ended() && !self.watched.view.borrow().is_deleted {
            // The node would confirm the end only some seconds later.
            true => delete(Some(0)).await,
            false => Ok(()),
        }
    }
}
