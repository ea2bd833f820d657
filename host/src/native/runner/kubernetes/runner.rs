//! The runner: combines the user's configuration with the cluster's state.

mod options;
mod shared;
mod stage_variables;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use hype_stage::CollectMode;
use hype_wire::{Access, Mount};
use k8s_openapi::api::core::v1::Pod;

use super::cluster::{Cluster, ClusterSource, ConnectedCluster};
use super::end::{EndedPod, PodEnd};
use super::events::Events;
use super::pod::{self, PodOptions, memory_limit};
use super::pod_watch::PodWatch;
use super::recorded_namespaces::RecordedNamespaces;
use super::run::{self, RunContext};
use super::stage_check::check_stage;
use super::volumes::{Claims, Volumes};
use super::waits::PodTimeouts;
use super::{check, events, foreign_run, processes};
use crate::cleanup::list::CleanupList;
use crate::configuration::{self, Configuration, Key};
use crate::doctor::Reporter;
use crate::environment::RunEnvironment;
use crate::environment::placement::DEFAULT_QUEUE_TIMEOUT;
use crate::error::{Error, Result};
use crate::run::log::Log;
use crate::runner::mount::same_path_mount;
use crate::runner::namespace::Namespace;
use crate::runner::run_location::RunLocation;
use crate::runner::{
    Attempt, CollectedLeftovers, Completion, DefaultImages, Description, FoundProcesses, LogMode,
    Plan, PlanRequest, Process, Proof, Runner, StageSecret,
};

/// The number of log lines in the error of a Pod that wrote no outcome.
const LAST_LINES: usize = 5;

/// Runs each closure in its own Pod of a Kubernetes cluster. Cloning is cheap.
///
/// The output of a closure goes to this program's standard error, line by line, while it runs.
///
/// ```no_run
/// # fn main() -> hype::Result<()> {
/// use hype::kubernetes::KubernetesRunner;
/// use hype::{Stage, Submitter};
///
/// let runner = KubernetesRunner::new()?.with_namespace("batch")?;
/// let submitter = Submitter::new(Stage::open("gs://bucket/prefix")?, runner)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct KubernetesRunner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cluster: Cluster,
    default_images: DefaultImages,
    /// The template of Pods for environments without their own.
    base: Option<Pod>,
    /// The RuntimeClass of Pods whose template names none.
    runtime_class: Option<String>,
    /// The service account of Pods whose environment and template name none.
    service_account: Option<String>,
    /// The secret of the stage for programs that name none.
    stage_secret: Option<StageSecret>,
    timeouts: PodTimeouts,
    volumes: Volumes,
    /// The shared watches by namespace.
    watches: Mutex<HashMap<Namespace, (PodWatch, Events)>>,
    /// Namespaces that this program named in addition to the default one.
    further_namespaces: BTreeSet<Namespace>,
    recorded_namespaces: RecordedNamespaces,
}

impl KubernetesRunner {
    /// Creates a runner for the current context of the kubeconfig that `kubectl` would read. In a Pod without a
    /// kubeconfig, uses the cluster of that Pod. `HYPE_CONTEXT` or `hype.toml` name another context, `HYPE_NAMESPACE` or
    /// `hype.toml` the default namespace, `HYPE_SERVICE_ACCOUNT` and `HYPE_STAGE_SECRET` or `hype.toml` the credentials of
    /// the stage. Sends no request yet.
    ///
    /// If neither closure nor environment names an image, `HYPE_IMAGE` or `hype.toml` does. The default is
    /// `spotify/hype` of this version, with the suffix `-debian` if the environment grants commands.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if `hype.toml` can't be read.
    pub fn new() -> Result<Self> {
        let configuration = Configuration::here()?;
        let context = configuration.get(Key::Context).map(str::to_owned);
        let mut cluster = Cluster::new(ClusterSource::Kubeconfig { context });
        if let Some(namespace) = configuration.get(Key::Namespace) {
            cluster.set_namespace(namespace.to_owned());
        }
        Ok(Self::with_cluster(cluster, &configuration))
    }

    /// Creates a runner for the cluster that this program runs in, with the service account of its Pod.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if `hype.toml` can't be read.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// let runner = hype::kubernetes::KubernetesRunner::in_cluster()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_cluster() -> Result<Self> {
        Self::of(ClusterSource::InCluster)
    }

    pub(super) fn of(source: ClusterSource) -> Result<Self> {
        Ok(Self::with_cluster(Cluster::new(source), &Configuration::here()?))
    }

    pub(super) fn with_cluster(cluster: Cluster, configuration: &Configuration) -> Self {
        Self(Arc::new(Inner {
            cluster,
            default_images: DefaultImages::new(configuration.get(Key::Image)),
            base: None,
            runtime_class: None,
            service_account: configuration.get(Key::ServiceAccount).map(str::to_owned),
            stage_secret: StageSecret::configured(configuration),
            timeouts: PodTimeouts::default(),
            volumes: Volumes::default(),
            watches: Mutex::default(),
            further_namespaces: configuration::chosen_namespaces().iter().cloned().collect(),
            recorded_namespaces: RecordedNamespaces::default(),
        }))
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
        Description { location: "in Kubernetes".to_owned(), outlives_program: true }
    }

    fn check<'a>(&'a self, reporter: &'a Reporter) -> BoxFuture<'a, ()> {
        Box::pin(check::check(&self.0.cluster, reporter))
    }

    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(self.0.plan(request))
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        cleanup: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        Box::pin(self.0.mounts(env, cleanup))
    }

    fn run(&self, mut attempt: Attempt) -> BoxFuture<'static, Result<Completion>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            attempt.env = inner.with_template(&attempt.env);
            attempt.use_configured_secret(inner.stage_secret.as_ref());
            inner.run(&Process::of(&attempt)).await
        })
    }

    fn add_search_location(&self, run_id: &str, run_location: &str) -> bool {
        let Ok(RunLocation::Kubernetes { namespace }) = RunLocation::parse(run_location) else {
            return false;
        };
        self.0.recorded_namespaces.insert(run_id, namespace);
        true
    }

    fn check_removable<'a>(&'a self, run_location: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let RunLocation::Kubernetes { namespace } = RunLocation::parse(run_location)? else {
                return Ok(());
            };
            let cluster = self.0.cluster.connect().await?;
            match self.0.own_namespaces(cluster).contains(&namespace) {
                true => Ok(()),
                false => Err(unnamed(&namespace)),
            }
        })
    }

    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let cluster = self.0.cluster.connect().await?;
            self.0.leftovers(cluster).is_alive(&self.0.search(cluster, run_id), run_id).await
        })
    }

    /// Returns the termination line from a Pod's status, which proves the outcome; so outcomes aren't sealed.
    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        Box::pin(async move {
            let cluster = self.0.cluster.connect().await?;
            let search = self.0.own_search(cluster, run_id);
            Ok(self.0.leftovers(cluster).line(&search, run_id).await?.map(Proof::Line))
        })
    }

    fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        Box::pin(async move {
            let cluster = self.0.cluster.connect().await?;
            let search = self.0.search(cluster, run_id);
            foreign_run::failure(&self.0.leftovers(cluster), &search, run_id).await
        })
    }

    fn processes<'a>(&'a self, run_id: Option<&'a str>) -> BoxFuture<'a, Result<FoundProcesses>> {
        Box::pin(async move {
            let cluster = self.0.cluster.connect().await?;
            let leftovers = self.0.leftovers(cluster);
            Ok(match run_id {
                Some(run_id) => {
                    processes::of_run(&leftovers, &self.0.search(cluster, run_id), run_id).await
                }
                None => processes::of_all_runs(&leftovers, &self.0.own_namespaces(cluster)).await,
            })
        })
    }

    fn copy_log(
        &self,
        run_id: &str,
        attempt: u32,
        log: Log,
        mode: LogMode,
    ) -> BoxFuture<'static, ()> {
        let (inner, run_id) = (Arc::clone(&self.0), run_id.to_owned());
        Box::pin(async move {
            // The call that waits for the run reports the outage.
            let Ok(cluster) = inner.cluster.connect().await else { return };
            let (leftovers, search) = (inner.leftovers(cluster), inner.search(cluster, &run_id));
            match mode {
                LogMode::Follow => {
                    foreign_run::follow(&leftovers, &search, (&run_id, attempt), &log).await;
                }
                LogMode::Existing => {
                    foreign_run::copy_existing(&leftovers, &search, (&run_id, attempt), &log).await;
                }
            }
        })
    }

    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>> {
        let (inner, run_id) = (Arc::clone(&self.0), run_id.to_owned());
        Box::pin(async move {
            let cluster = inner.cluster.connect().await?;
            let search = inner.own_search(cluster, &run_id);
            inner.leftovers(cluster).remove_run(&search, &run_id, is_orphan).await
        })
    }

    fn collect<'a>(
        &'a self,
        mode: CollectMode,
        kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<CollectedLeftovers>> {
        Box::pin(async move {
            let cluster = self.0.cluster.new_connection().await?;
            let namespaces = self.0.own_namespaces(&cluster);
            Ok(self.0.leftovers(&cluster).collect(&namespaces, mode, kept).await)
        })
    }
}

impl Inner {
    /// Returns `env` with the runner's Pod template, unless it has its own, and with the runner's service account, unless
    /// it or the template names one.
    fn with_template(&self, env: &RunEnvironment) -> RunEnvironment {
        env.change_placement(|placement| {
            if placement.base.is_none() {
                placement.base.clone_from(&self.base);
            }
            let spec = placement.base.as_ref().and_then(|base| base.spec.as_ref());
            let of_base = spec.and_then(|spec| spec.service_account_name.as_ref());
            if placement.service_account.is_none() && of_base.is_none() {
                placement.service_account.clone_from(&self.service_account);
            }
        })
    }

    async fn mounts(&self, env: &RunEnvironment, cleanup: &CleanupList) -> Result<Vec<Mount>> {
        let env = &self.with_template(env);
        if env.mounts().iter().any(|mount| mount.is_volume()) {
            let cluster = self.cluster.connect().await?;
            let namespace = &namespace(env, cluster)?;
            let (api, retry) =
                (cluster.api(namespace), cluster.retry(self.timeouts.unreachable_server));
            let claims = Claims { api, namespace, retry };
            self.volumes.ensure(&claims, env, cleanup).await?;
        }
        let mounts = env.mounts().iter().map(|mount| (&mount.path, mount.access));
        let secrets = env.secrets().keys().map(|path| (path, Access::ReadOnly));
        mounts.chain(secrets).map(|(path, access)| same_path_mount(path, access)).collect()
    }

    async fn plan(&self, request: PlanRequest<'_>) -> Result<Plan> {
        let env = &self.with_template(request.env);
        check_stage(request.stage_url, env)?;
        // Each Pod makes one call.
        let platform = match pod::architecture(env) {
            "amd64" => Some("x86_64-unchecked".to_owned()),
            "arm64" => Some("aarch64-unchecked".to_owned()),
            _ => None,
        };
        let namespace = namespace(env, self.cluster.connect().await?)?;
        Ok(Plan {
            image: Some(self.default_images.image(request.image, env).to_owned()),
            platform,
            run_location: Some(RunLocation::Kubernetes { namespace }.to_string()),
            returns_outcome: false,
        })
    }

    async fn run(&self, process: &Process) -> Result<Completion> {
        let cluster = self.cluster.connect().await?;
        let namespace = &namespace(&process.env, cluster)?;
        let claims = self.volumes.claims(namespace, &process.env).await;
        let claim_names: Vec<_> = claims.iter().map(|claim| claim.name.clone()).collect();
        let (variables, is_stage_on_loopback) = self.stage_variables(process, namespace).await?;
        let runtime_class = self.runtime_class.clone();
        let options = PodOptions { variables, is_stage_on_loopback, claims, runtime_class };
        let pod = pod::pod(process, &options)?;
        let (watch, events) = &self.watches(cluster, namespace);
        let context = RunContext {
            cluster,
            namespace,
            watch,
            events,
            claims: &claim_names,
            timeouts: self.timeouts,
            queue_timeout: process.env.placement().queue_timeout.unwrap_or(DEFAULT_QUEUE_TIMEOUT),
        };
        let memory = memory_limit(&pod);
        let end = run::run(&context, process, pod).await?;
        let claim_events = match &end {
            PodEnd::Stuck(..) => events::of_claims(cluster.api(namespace), &claim_names).await,
            _ => Vec::new(),
        };
        EndedPod {
            run_id: &process.run_id,
            pod: &process.name,
            image: process.image.as_deref().unwrap_or_default(),
            server: &cluster.address,
            memory: memory.as_deref(),
            stage_secret: process.stage_secret.as_ref().map(|secret| secret.name.as_str()),
            last_lines: process.log.last(LAST_LINES),
            claim_events,
        }
        .judge(end)
    }
}

/// Returns the error of removing a run from a namespace that only its manifest names.
fn unnamed(namespace: &Namespace) -> Error {
    Error::input(format!("nothing is removed in the namespace {namespace}"))
        .because("only the run's manifest names it, which anyone who can write to the stage can change")
        .hint(format!(
            "if the run is in it, name it in this program, KubernetesRunner::with_namespace(\"{namespace}\"), or in \
             the context: kubectl config set-context --current --namespace={namespace}"
        ))
}

/// Returns the namespace of `env`, else that of its Pod template, else the default.
fn namespace(env: &RunEnvironment, cluster: &ConnectedCluster) -> Result<Namespace> {
    let placement = env.placement();
    let of_base = || placement.base.as_ref()?.metadata.namespace.as_deref();
    match placement.namespace.as_deref().or_else(of_base) {
        Some(namespace) => Namespace::parse(namespace),
        None => Ok(cluster.namespace.clone()),
    }
}
