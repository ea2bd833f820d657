//! The runner itself: what it is told, put together with what the cluster says.

mod shared;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use hype_stage::{Provider, Removal};
use hype_wire::{Access, Mount};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;

use super::cluster::{Cluster, Reached, Way, found};
use super::end::{End, Ended};
use super::events::Events;
use super::mounts::in_pod;
use super::pod::{self, Parts, memory};
use super::reach::check_stage;
use super::run::{self, Place};
use super::volumes::{Claims, Volumes};
use super::waits::Graces;
use super::watching::Watch;
use super::{events, following};
use crate::cleanup::owned::Owned;
use crate::configuration::Configuration;
use crate::environment::RunEnvironment;
use crate::environment::placement::QUEUE;
use crate::environment::pod_base;
use crate::error::{Error, Result};
use crate::run::log::Log;
use crate::runner::endpoints::Endpoints;
use crate::runner::run_place::RunPlace;
use crate::runner::{
    Attempt, DefaultImages, Description, Plan, PlanRequest, Process, Proof, Runner, Voucher,
};

/// How many of its last lines are told of a Pod that left no outcome.
const SAID: usize = 5;

/// The key file of a provider in a secret.
const KEY_FILE: &str = "key.json";

/// Runs closures in Pods of a Kubernetes cluster, each in one of its own. Cloning is cheap.
///
/// The cluster is that which `kubectl` would use. What a closure writes to its standard output and
/// error goes to this program's standard error, line by line, while it runs.
#[derive(Debug, Clone)]
pub struct KubernetesRunner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cluster: Cluster,
    default_images: DefaultImages,
    /// The Pod that those of environments without one of their own begin from.
    base: Option<Pod>,
    graces: Graces,
    volumes: Volumes,
    /// What the runs of a namespace share, by its name.
    watches: Mutex<HashMap<String, (Watch, Events)>>,
    /// Namespaces in which runs are said to be.
    named: Mutex<BTreeSet<String>>,
}

impl KubernetesRunner {
    /// A runner for the cluster of the kubeconfig that `kubectl` would read, in its current context;
    /// in a Pod without one, for the cluster that the Pod is in. Nothing is asked of it yet.
    ///
    /// Its image is that of `HYPE_IMAGE`, of `hype.toml`, or `spotify/hype` of this version, where
    /// neither closure nor environment names one; that with the tag `-debian`, where the environment grants
    /// commands.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when `hype.toml` can't be read.
    pub fn new() -> Result<Self> {
        Self::of(Way::Kubeconfig { context: None })
    }

    /// A runner for the cluster that this program runs in, as the service account of its Pod.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when `hype.toml` can't be read.
    pub fn in_cluster() -> Result<Self> {
        Self::of(Way::InCluster)
    }

    pub(super) fn of(way: Way) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            cluster: Cluster::new(way),
            default_images: DefaultImages::new(Configuration::here()?.image),
            base: None,
            graces: Graces::default(),
            volumes: Volumes::default(),
            watches: Mutex::default(),
            named: Mutex::default(),
        })))
    }

    /// The same in this context of the kubeconfig, rather than the current one.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when a clone of this runner is in use.
    pub fn with_context(self, context: impl Into<String>) -> Result<Self> {
        let way = Way::Kubeconfig { context: Some(context.into()) };
        self.change(|inner| inner.cluster.set_way(way))
    }

    /// The same in this namespace, rather than that of the context.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when a clone of this runner is in use.
    pub fn with_namespace(self, namespace: impl Into<String>) -> Result<Self> {
        self.change(|inner| inner.cluster.set_namespace(namespace.into()))
    }

    /// The same with a Pod, written as YAML, that those of environments begin from which have
    /// [none of their own](RunEnvironment::from_yaml).
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it isn't such a Pod, or a clone of this runner is in
    /// use.
    pub fn with_yaml_str(self, yaml: &str) -> Result<Self> {
        let base = pod_base::read(yaml)
            .map_err(|error| Error::input("cannot use the YAML").because(error))?;
        self.change(|inner| inner.base = Some(base))
    }

    /// The same with other graces for what may pass.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when a clone of this runner is in use.
    pub fn with_graces(self, graces: Graces) -> Result<Self> {
        self.change(|inner| inner.graces = graces)
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Result<Self> {
        let mut inner = Arc::into_inner(self.0).ok_or_else(|| {
            Error::input("a Kubernetes runner cannot be changed while it is in use")
        })?;
        change(&mut inner);
        Ok(Self(Arc::new(inner)))
    }
}

impl Runner for KubernetesRunner {
    fn description(&self) -> Description {
        Description { place: "in Kubernetes".to_owned(), outlives_program: true }
    }

    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(self.0.plan(request))
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        owned: &'a Owned,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        Box::pin(self.0.mounts(env, owned))
    }

    fn run(&self, mut attempt: Attempt) -> BoxFuture<'static, Result<Voucher>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            attempt.env = inner.based(&attempt.env);
            inner.run(&Process::of(&attempt)).await
        })
    }

    fn looks_in(&self, place: &str) -> bool {
        let RunPlace::Kubernetes { namespace } = RunPlace::read(place) else { return false };
        self.0.named.lock().unwrap_or_else(PoisonError::into_inner).insert(namespace);
        true
    }

    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let reached = self.0.cluster.reach().await?;
            self.0.leftovers(reached).is_alive(&self.0.namespaces(reached), run_id).await
        })
    }

    /// A Pod's status keeps the line that vouches for its outcome, so that none is sealed.
    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        Box::pin(async move {
            let reached = self.0.cluster.reach().await?;
            let (leftovers, namespaces) =
                (self.0.leftovers(reached), self.0.own_namespaces(reached));
            Ok(leftovers.line(&namespaces, run_id).await?.map(Proof::Line))
        })
    }

    fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        Box::pin(async move {
            let reached = self.0.cluster.reach().await?;
            following::failure(&self.0.leftovers(reached), &self.0.namespaces(reached), run_id)
                .await
        })
    }

    fn follow(&self, run_id: &str, log: Log) -> BoxFuture<'static, ()> {
        let (inner, run_id) = (Arc::clone(&self.0), run_id.to_owned());
        Box::pin(async move {
            // Whoever waits for the run is told why that can't be reached.
            let Ok(reached) = inner.cluster.reach().await else { return };
            following::follow(&inner.leftovers(reached), &inner.namespaces(reached), &run_id, &log)
                .await;
        })
    }

    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>> {
        let (inner, run_id) = (Arc::clone(&self.0), run_id.to_owned());
        Box::pin(async move {
            let reached = inner.cluster.reach().await?;
            let namespaces = inner.namespaces(reached);
            inner.leftovers(reached).remove_run(&namespaces, &run_id, is_orphan).await
        })
    }

    fn collect<'a>(
        &'a self,
        removal: Removal,
        kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let reached = self.0.cluster.connect().await?;
            self.0.leftovers(&reached).collect(removal, kept).await
        })
    }
}

impl Inner {
    /// `env` with the Pod that it begins from.
    fn based(&self, env: &RunEnvironment) -> RunEnvironment {
        match &self.base {
            Some(base) => env.change_placement(|placement| {
                placement.base.get_or_insert_with(|| base.clone());
            }),
            None => env.clone(),
        }
    }

    async fn mounts(&self, env: &RunEnvironment, owned: &Owned) -> Result<Vec<Mount>> {
        let env = &self.based(env);
        if env.mounts().iter().any(|mount| mount.is_volume()) {
            let reached = self.cluster.reach().await?;
            let namespace = namespace(env, reached);
            let (api, patience) = (reached.api(namespace), reached.patience(self.graces.server));
            let claims = Claims { api, namespace, patience };
            self.volumes.make(&claims, env, owned).await?;
        }
        let mounts = env.mounts().iter().map(|mount| (&mount.path, mount.access));
        let secrets = env.secrets().keys().map(|path| (path, Access::ReadOnly));
        Ok(mounts.chain(secrets).map(|(path, access)| in_pod(path, access)).collect())
    }

    async fn plan(&self, request: PlanRequest<'_>) -> Result<Plan> {
        let env = &self.based(request.env);
        check_stage(request.stage_url, env)?;
        let platform = match pod::architecture(env) {
            "amd64" => Some("x86_64".to_owned()),
            "arm64" => Some("aarch64".to_owned()),
            _ => None,
        };
        let namespace = namespace(env, self.cluster.reach().await?).to_owned();
        Ok(Plan {
            image: Some(self.default_images.image(request.image, env).to_owned()),
            platform,
            place: Some(RunPlace::Kubernetes { namespace }.to_string()),
        })
    }

    async fn run(&self, process: &Process) -> Result<Voucher> {
        let reached = self.cluster.reach().await?;
        let namespace = namespace(&process.env, reached);
        let claims = self.volumes.claims(namespace, &process.env).await;
        let claim_names: Vec<_> = claims.iter().map(|claim| claim.name.clone()).collect();
        let (variables, is_stage_on_loopback) = self.reach_stage(process, namespace).await?;
        let parts = Parts { variables, is_stage_on_loopback, claims };
        let pod = pod::pod(process, &parts)?;
        let (watch, events) = &self.watches(reached, namespace);
        let place = Place {
            reached,
            namespace,
            watch,
            events,
            claims: &claim_names,
            graces: self.graces,
            queue: process.env.placement().queue_timeout.unwrap_or(QUEUE),
        };
        let memory = memory(&pod);
        let end = run::run(&place, process, pod).await?;
        let claims = match &end {
            End::Stuck(..) => events::of_claims(reached.api(namespace), &claim_names).await,
            _ => Vec::new(),
        };
        Ended {
            run_id: &process.run_id,
            pod: &process.name,
            image: process.image.as_deref().unwrap_or_default(),
            server: &reached.address,
            memory: memory.as_deref(),
            last_lines: process.log.last(SAID),
            claims,
        }
        .judge(end)
    }

    /// The variables by which `hype-run` reaches the stage, and whether that is on this machine.
    async fn reach_stage(
        &self,
        process: &Process,
        namespace: &str,
    ) -> Result<(BTreeMap<String, String>, bool)> {
        let url = process.stage_url.as_str();
        let Some(endpoints) = Endpoints::of(url, |name| std::env::var(name).ok()) else {
            return Ok((BTreeMap::new(), false));
        };
        let mut variables = endpoints.variables();
        if let Some(name) = Provider::of(url).and_then(Provider::key_file_variable)
            && let Some(path) = self.key_file(name, process, namespace).await?
        {
            variables.insert(name.to_owned(), path);
        }
        Ok((variables, endpoints.on_loopback().is_some()))
    }

    /// Where in the Pod the key file is that `variable` names, unless nobody says: in the stage's secret,
    /// where the environment says, or else, where there is no service account either, in a secret of the
    /// guest's.
    async fn key_file(
        &self,
        variable: &str,
        process: &Process,
        namespace: &str,
    ) -> Result<Option<String>> {
        let env = &process.env;
        if let Some(secret) = &process.stage_secret {
            return Ok(Some(format!("{}/{KEY_FILE}", secret.path)));
        }
        if let Some(path) = env.env().get(variable) {
            return Ok(Some(path.clone()));
        }
        let base = env.placement().base.as_ref();
        let of_base =
            base.and_then(pod_base::container).and_then(|container| container.env.as_ref());
        let is_said = of_base.is_some_and(|env| env.iter().any(|it| it.name == variable));
        if is_said || env.placement().service_account.is_some() {
            return Ok(None);
        }
        let reached = self.cluster.reach().await?;
        let secrets: Api<Secret> = reached.api(namespace);
        let patience = reached.patience(self.graces.server).of_optional();
        for (path, name) in env.secrets() {
            // Who may not look finds none; what isn't there is told when the Pod misses it.
            let asked = patience.persist(|| secrets.get(name)).await;
            let there = found(asked).ok().flatten();
            let data = there.and_then(|secret| secret.data);
            if data.is_some_and(|data| data.contains_key(KEY_FILE)) {
                return Ok(Some(format!("{path}/{KEY_FILE}")));
            }
        }
        Ok(None)
    }
}

/// The namespace of `env`, that of its own Pod, or else the context's.
fn namespace<'a>(env: &'a RunEnvironment, reached: &'a Reached) -> &'a str {
    let placement = env.placement();
    let of_base = || placement.base.as_ref()?.metadata.namespace.as_deref();
    placement.namespace.as_deref().or_else(of_base).unwrap_or(&reached.namespace)
}
