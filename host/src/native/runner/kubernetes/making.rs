//! Making a Pod, and removing it again.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};

use super::cluster::found;
use super::patience::Patience;
use super::pod::MANIFEST;
use super::refusal::{Trouble, refused, refused_input};
use super::seen::{ProcessState, Seen};
use super::watching::Watched;
use crate::cleanup::pending;
use crate::error::{Error, Result};
use crate::runner::Process;
use crate::runner::make::make;

/// How long a running `hype-run` has to stop when nobody wants its value any more, in seconds.
pub(crate) const STOP: u32 = 10;

/// How long it is waited for.
const STOPPED: Duration = Duration::from_secs(30);

/// How long it is waited for once the program is told to end, which has some seconds.
const HURRY: Duration = Duration::from_secs(6);

/// How long a server that is away is waited for by who removes something.
pub(crate) const REMOVAL: Duration = Duration::from_secs(60);

/// Makes `pod`, whose end `watched` tells, and which goes with what belongs to the process.
pub(crate) async fn make_pod(
    pods: Api<Pod>,
    process: &Process,
    pod: Pod,
    (watched, patience): (Arc<Watched>, Patience),
) -> Result<()> {
    let name = pod.name_any();
    let beside = process.owned.beside();
    let removal = Removal {
        pods: pods.clone(),
        name: name.clone(),
        watched: Arc::clone(&watched),
        patience: patience.at_most(REMOVAL),
    };
    let remove = async move {
        let what = format!("pod {}", removal.name);
        match removal.has_ended() {
            // Nothing waits for it, since it uses nothing any more.
            true => beside.remove(what, Box::pin(removal.remove())),
            false => removal.remove().await?,
        }
        Ok(())
    };
    let request = async move {
        let params = PostParams::default();
        match patience.persist(|| pods.create(&params, &pod)).await {
            Err(error) if Trouble::of(&error) == Trouble::Conflict => {
                is_ours(&pods, &pod, &patience).await.map_err(|refusal| (refusal, error))
            }
            Err(error) => Err((None, error)),
            Ok(_) => Ok(()),
        }
    };
    match make(request, Some((&process.owned, format!("pod {name}"), remove))).await? {
        Ok(()) => {
            watched.is_made();
            Ok(())
        }
        Err((Some(refusal), _)) => Err(refusal),
        Err((None, error)) => Err(refused_input(format!("cannot make pod {name}"), error)),
    }
}

/// Whether the Pod that is there is what an answer that got lost told of: it has our manifest.
async fn is_ours(
    pods: &Api<Pod>,
    pod: &Pod,
    patience: &Patience,
) -> std::result::Result<(), Option<Error>> {
    let name = pod.name_any();
    let there = patience.persist(|| pods.get(&name)).await.map_err(|_| None)?;
    if there.annotations().get(MANIFEST) == pod.annotations().get(MANIFEST) {
        return Ok(());
    }
    Err(Some(Error::runner(format!("cannot make pod {name}"), "another pod of that name is there")))
}

/// What removes a Pod.
struct Removal {
    pods: Api<Pod>,
    name: String,
    watched: Arc<Watched>,
    patience: Patience,
}

impl Removal {
    fn seen(&self) -> Option<Seen> {
        self.watched.view.borrow().pod.as_deref().map(Seen::of)
    }

    fn has_ended(&self) -> bool {
        let is_ended =
            |seen: Seen| seen.ended.is_some() || matches!(seen.process, ProcessState::Ended(_));
        self.watched.view.borrow().is_gone || self.seen().is_some_and(is_ended)
    }

    async fn delete(&self, grace: Option<u32>) -> Result<()> {
        delete_pod(&self.pods, &self.name, grace, &self.patience).await
    }

    async fn remove(self) -> Result<()> {
        if self.watched.view.borrow().is_gone {
            return Ok(());
        }
        if self.seen().is_some_and(|seen| seen.ended.is_some()) {
            return self.delete(Some(0)).await;
        }
        if self.has_ended() {
            // What else is in it has its own time to end.
            return self.delete(None).await;
        }
        if !self.seen().is_some_and(|seen| seen.process == ProcessState::Running) {
            // There is nothing to be told to stop.
            return self.delete(Some(0)).await;
        }
        self.delete(Some(STOP)).await?;
        let mut view = self.watched.view.clone();
        // An error says that the watch is gone.
        let stopped = async { while !self.has_ended() && view.changed().await.is_ok() {} };
        let hurried = async {
            pending::given_up().await;
            tokio::time::sleep(HURRY).await;
        };
        tokio::select! {
            () = stopped => {}
            () = hurried => {}
            () = tokio::time::sleep(STOPPED) => {}
        }
        match self.has_ended() && !self.watched.view.borrow().is_gone {
            // Its node would tell only some seconds later that all of it is gone.
            true => self.delete(Some(0)).await,
            false => Ok(()),
        }
    }
}

/// Deletes a Pod, giving it so many seconds to end; one that isn't there is no error.
pub(crate) async fn delete_pod(
    pods: &Api<Pod>,
    name: &str,
    grace: Option<u32>,
    patience: &Patience,
) -> Result<()> {
    let params = DeleteParams { grace_period_seconds: grace, ..Default::default() };
    let deleted = patience.persist(|| pods.delete(name, &params)).await;
    found(deleted).map(drop).map_err(|error| refused(format!("cannot delete pod {name}"), error))
}
