//! Volumes as PersistentVolumeClaims: created on first use, reused, and deleted with their owner.

use std::collections::HashMap;

use futures::FutureExt;
use hype_wire::Access;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::PostParams;
use kube::{Api, ResourceExt};
use tokio::sync::Mutex;

use super::api_error::{ErrorClass, request_error, user_request_error};
use super::claim::{check, claim_of, copy_of};
use super::deletion::delete;
use super::pod::Claim;
use super::pod_lifecycle::REMOVAL_TIMEOUT;
use super::retry::Retry;
use crate::cleanup::list::CleanupList;
use crate::environment::RunEnvironment;
use crate::environment::mount::{Source, VolumeRequest};
use crate::environment::sharing::Readers;
use crate::error::{Error, Result};
use crate::names::unique_name;
use crate::run::lease;
use crate::runner::create_resource::create_resource;
use crate::runner::labels;
use crate::runner::namespace::Namespace;

/// The volumes that a runner has created or checked, by namespace and name.
#[derive(Debug, Default)]
pub(crate) struct Volumes(Mutex<HashMap<(Namespace, String), VolumeState>>);

#[derive(Debug, Default)]
struct VolumeState {
    /// The current copy for readers, until the next write.
    copy: Option<String>,
}

/// The claims of one namespace.
pub(crate) struct Claims<'a> {
    pub(crate) api: Api<PersistentVolumeClaim>,
    pub(crate) namespace: &'a Namespace,
    pub(crate) retry: Retry,
}

impl Volumes {
    /// Creates the missing volumes of `env`. Registers those that don't outlive the submitter with `cleanup`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a volume exists with another class or size.
    pub(crate) async fn ensure(
        &self,
        claims: &Claims<'_>,
        env: &RunEnvironment,
        cleanup: &CleanupList,
    ) -> Result<()> {
        for mount in env.mounts() {
            let Source::Volume(request) = &mount.source else { continue };
            request.check_name()?;
            let key = (claims.namespace.clone(), request.name().to_owned());
            let mut known = self.0.lock().await;
            // A persistent volume is checked each time, since the request may name another size.
            if !request.is_transient() || !known.contains_key(&key) {
                claims.ensure(request, cleanup).await?;
            }
            let volume = known.entry(key).or_default();
            match (request.sharing().readers, mount.access) {
                (Readers::Clone, Access::ReadOnly) if volume.copy.is_none() => {
                    volume.copy = Some(claims.copy(request, cleanup).await?);
                }
                (_, Access::ReadWrite) => volume.copy = None,
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the claims of the volumes of `env`, in the order of its mounts.
    pub(crate) async fn claims(&self, namespace: &Namespace, env: &RunEnvironment) -> Vec<Claim> {
        let known = self.0.lock().await;
        let claims = env.mounts().iter().filter_map(|mount| match &mount.source {
            Source::Volume(request) => Some((request, mount.access)),
            Source::Directory(_) => None,
        });
        let claims = claims.map(|(request, access)| {
            let own = request.name().to_owned();
            let copy = || known.get(&(namespace.clone(), own.clone()))?.copy.clone();
            match (request.sharing().readers, access) {
                (Readers::SameNode, _) => Claim { name: own, is_single_node: true },
                (Readers::Clone, Access::ReadOnly) => {
                    Claim { name: copy().unwrap_or(own), is_single_node: false }
                }
                (Readers::Clone | Readers::Shared, _) => Claim { name: own, is_single_node: false },
            }
        });
        claims.collect()
    }
}

impl Claims<'_> {
    /// Creates the claim of `request` if it is missing.
    async fn ensure(&self, request: &VolumeRequest, cleanup: &CleanupList) -> Result<()> {
        let name = request.name();
        if !request.is_transient()
            && let Some(existing) = self.find(name).await?
        {
            return check(request, &existing);
        }
        let claim = claim_of(request, &labels::expiry(None));
        match self.create(name, claim, request.is_transient().then_some(cleanup)).await {
            // Another submitter created it concurrently.
            Ok(false) => match self.find(name).await? {
                Some(existing) => check(request, &existing),
                None => Err(Error::runner(
                    format!("cannot create the claim {name}"),
                    "it was deleted again",
                )),
            },
            created => created.map(drop),
        }
    }

    /// Creates a copy for readers, and returns its name.
    async fn copy(&self, request: &VolumeRequest, cleanup: &CleanupList) -> Result<String> {
        let name = unique_name("hype-copy");
        let claim = copy_of(request, &name, &labels::expiry(None));
        self.create(&name, claim, Some(cleanup)).await?;
        Ok(name)
    }

    async fn find(&self, name: &str) -> Result<Option<PersistentVolumeClaim>> {
        let found = self.retry.run(|| self.api.get_opt(name)).await;
        found.map_err(|error| request_error(format!("cannot look for the claim {name}"), error))
    }

    /// Creates a claim, and registers its deletion with `cleanup` if given. Returns false if the claim exists.
    async fn create(
        &self,
        name: &str,
        claim: PersistentVolumeClaim,
        cleanup: Option<&CleanupList>,
    ) -> Result<bool> {
        let removal = cleanup.map(|cleanup| {
            let (api, name, retry) = (self.api.clone(), name.to_owned(), self.retry.clone());
            let what = format!("claim {name}");
            let removal = async move { remove_own_claim(&api, &name, &retry).await };
            (cleanup, what, removal.boxed())
        });
        let (api, retry) = (self.api.clone(), self.retry.clone());
        let request = async move {
            let params = PostParams::default();
            retry.run(|| api.create(&params, &claim)).await
        };
        match create_resource(request.boxed(), removal).await? {
            Ok(_) => Ok(true),
            Err(error) if ErrorClass::of(&error) == ErrorClass::Conflict => Ok(false),
            Err(error) => Err(user_request_error(format!("cannot create the claim {name}"), error)),
        }
    }
}

/// Deletes the claim `name`, if this process created it for a transient volume. Kubernetes delays the deletion until no
/// Pod uses it. Idempotent: a missing claim is no error.
async fn remove_own_claim(
    api: &Api<PersistentVolumeClaim>,
    name: &str,
    retry: &Retry,
) -> Result<()> {
    let retry = retry.at_most(REMOVAL_TIMEOUT);
    let found = retry.run(|| api.get_opt(name)).await;
    let found =
        found.map_err(|error| request_error(format!("cannot find the claim {name}"), error))?;
    let is_own = |claim: &PersistentVolumeClaim| {
        let label = |name| claim.labels().get(name).map(String::as_str);
        label(labels::SUBMITTER) == Some(lease::owner())
            && label(labels::VOLUME) == Some("transient")
    };
    match found.filter(is_own) {
        Some(claim) => delete(api, &claim, None, &retry).await,
        None => Ok(()),
    }
}
