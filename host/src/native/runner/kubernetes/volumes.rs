//! Volumes as claims of the cluster's: made when they are first used, found again, and removed with
//! whom they belong to.

use std::collections::HashMap;

use hype_wire::Access;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use tokio::sync::Mutex;

use super::claim::{check, claim, copy};
use super::cluster::found;
use super::making::REMOVAL;
use super::patience::Patience;
use super::pod::Claim;
use super::refusal::{Trouble, refused, refused_input};
use crate::cleanup::owned::Owned;
use crate::environment::RunEnvironment;
use crate::environment::mount::{Source, VolumeRequest};
use crate::environment::sharing::Readers;
use crate::error::{Error, Result};
use crate::names::unique_name;
use crate::runner::labels;
use crate::runner::make::make;

/// The volumes that a runner knows, by namespace and name.
#[derive(Debug, Default)]
pub(crate) struct Volumes(Mutex<HashMap<(String, String), Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The copy that readers have, until somebody writes again.
    copy: Option<String>,
}

/// Where claims are made.
pub(crate) struct Claims<'a> {
    pub(crate) api: Api<PersistentVolumeClaim>,
    pub(crate) namespace: &'a str,
    pub(crate) patience: Patience,
}

impl Volumes {
    /// Makes what volumes of `env` aren't there yet. What doesn't outlive the submitter is entered into
    /// `owned`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when one is there with another class or size.
    pub(crate) async fn make(
        &self,
        claims: &Claims<'_>,
        env: &RunEnvironment,
        owned: &Owned,
    ) -> Result<()> {
        for mount in env.mounts() {
            let Source::Volume(request) = &mount.source else { continue };
            request.check_name()?;
            let key = (claims.namespace.to_owned(), request.name().to_owned());
            let mut known = self.0.lock().await;
            // Who asks for a persistent one again may ask for another size.
            if !request.is_transient() || !known.contains_key(&key) {
                claims.have(request, owned).await?;
            }
            let volume = known.entry(key).or_default();
            match (request.sharing().readers, mount.access) {
                (Readers::Clone, Access::ReadOnly) if volume.copy.is_none() => {
                    volume.copy = Some(claims.copy(request, owned).await?);
                }
                (_, Access::ReadWrite) => volume.copy = None,
                _ => {}
            }
        }
        Ok(())
    }

    /// The claims of the volumes of `env`, in the order of its mounts.
    pub(crate) async fn claims(&self, namespace: &str, env: &RunEnvironment) -> Vec<Claim> {
        let known = self.0.lock().await;
        let claims = env.mounts().iter().filter_map(|mount| match &mount.source {
            Source::Volume(request) => Some((request, mount.access)),
            Source::Directory(_) => None,
        });
        let claims = claims.map(|(request, access)| {
            let own = request.name().to_owned();
            let copy = || known.get(&(namespace.to_owned(), own.clone()))?.copy.clone();
            match (request.sharing().readers, access) {
                (Readers::SameNode, _) => Claim { name: own, is_of_one_node: true },
                (Readers::Clone, Access::ReadOnly) => {
                    Claim { name: copy().unwrap_or(own), is_of_one_node: false }
                }
                (Readers::Clone | Readers::Shared, _) => Claim { name: own, is_of_one_node: false },
            }
        });
        claims.collect()
    }
}

impl Claims<'_> {
    /// Makes the claim of `request` if it is absent.
    async fn have(&self, request: &VolumeRequest, owned: &Owned) -> Result<()> {
        let name = request.name();
        if !request.is_transient()
            && let Some(there) = self.find(name).await?
        {
            return check(request, &there);
        }
        let claim = claim(request, &labels::expiry(None));
        match self.create(name, claim, request.is_transient().then_some(owned)).await {
            // Somebody else was faster.
            Ok(false) => match self.find(name).await? {
                Some(there) => check(request, &there),
                None => {
                    Err(Error::runner(format!("cannot make the claim {name}"), "it is gone again"))
                }
            },
            made => made.map(drop),
        }
    }

    /// Makes a copy for readers, and gives its name.
    async fn copy(&self, request: &VolumeRequest, owned: &Owned) -> Result<String> {
        let name = unique_name("hype-copy");
        let claim = copy(request, &name, &labels::expiry(None));
        self.create(&name, claim, Some(owned)).await?;
        Ok(name)
    }

    async fn find(&self, name: &str) -> Result<Option<PersistentVolumeClaim>> {
        let there = self.patience.persist(|| self.api.get_opt(name)).await;
        there.map_err(|error| refused(format!("cannot look for the claim {name}"), error))
    }

    /// Makes a claim, to be removed with `owned` if that is given, and says whether it wasn't there.
    async fn create(
        &self,
        name: &str,
        claim: PersistentVolumeClaim,
        owned: Option<&Owned>,
    ) -> Result<bool> {
        let removal = owned.map(|owned| {
            let (api, name, patience) = (self.api.clone(), name.to_owned(), self.patience.clone());
            let what = format!("claim {name}");
            (owned, what, async move { remove_claim(&api, &name, &patience).await })
        });
        let (api, patience) = (self.api.clone(), self.patience.clone());
        let request = async move {
            let params = PostParams::default();
            patience.persist(|| api.create(&params, &claim)).await
        };
        match make(request, removal).await? {
            Ok(_) => Ok(true),
            Err(error) if Trouble::of(&error) == Trouble::Conflict => Ok(false),
            Err(error) => Err(refused_input(format!("cannot make the claim {name}"), error)),
        }
    }
}

/// Removes a claim; one that isn't there is no error. It goes once no Pod uses it.
pub(crate) async fn remove_claim(
    api: &Api<PersistentVolumeClaim>,
    name: &str,
    patience: &Patience,
) -> Result<()> {
    let params = DeleteParams::default();
    let removed = patience.at_most(REMOVAL).persist(|| api.delete(name, &params)).await;
    found(removed)
        .map(drop)
        .map_err(|error| refused(format!("cannot remove the claim {name}"), error))
}
