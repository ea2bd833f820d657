//! Constructors of submitters.

use hype_stage::Stage;

use super::Submitter;
use crate::error::Result;

impl Submitter {
    /// Creates a submitter that runs closures in this process. The stage is in the user's cache directory, or in a
    /// private directory below the temporary directory if the cache directory isn't writable.
    ///
    /// ```no_run
    /// let submitter = hype::Submitter::local()?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when neither directory is writable, [`Runner`](crate::ErrorKind::Runner) when
    /// this machine can't run WebAssembly.
    #[cfg(feature = "local")]
    pub fn local() -> Result<Self> {
        Self::local_in(Stage::in_directory(&crate::staging::local_stage::directory()?)?)
    }

    /// Creates a submitter that runs closures in this process, with the stage at a URL, such as `file:///directory` or,
    /// with the feature of its provider, `gs://bucket/prefix`. A directory is created if it doesn't exist.
    ///
    /// ```no_run
    /// let submitter = hype::Submitter::local_with("file:///tmp/stage")?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the stage can't be opened, [`Runner`](crate::ErrorKind::Runner) when
    /// this machine can't run WebAssembly.
    #[cfg(feature = "local")]
    pub fn local_with(staging: &str) -> Result<Self> {
        Self::local_in(Stage::open_or_create(staging)?)
    }

    #[cfg(feature = "local")]
    fn local_in(stage: Stage) -> Result<Self> {
        Self::new(stage, crate::runner::LocalRunner::new()?)
    }

    /// Creates a submitter that runs closures in containers of the Docker daemon that the `docker` command uses. The
    /// stage is the directory of [`local`](Self::local), which is mounted into the containers.
    ///
    /// ```no_run
    /// let submitter = hype::Submitter::docker()?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when no directory for the stage is writable, or Docker's variables and files
    /// don't name a usable daemon.
    #[cfg(feature = "docker")]
    pub fn docker() -> Result<Self> {
        let stage = Stage::in_directory(&crate::staging::local_stage::directory()?)?;
        Self::new(stage, crate::runner::DockerRunner::new()?)
    }

    /// Creates a submitter that runs closures in containers of the Docker daemon that the `docker` command uses, with
    /// the stage at a URL, such as `gs://bucket/prefix`. [`with_stage_secret`](Self::with_stage_secret) provides
    /// credentials.
    ///
    /// ```no_run
    /// let submitter = hype::Submitter::docker_with("gs://bucket/prefix")?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the stage can't be opened, or Docker's variables and files don't name a
    /// usable daemon.
    #[cfg(feature = "docker")]
    pub fn docker_with(staging: &str) -> Result<Self> {
        Self::new(Stage::open_or_create(staging)?, crate::runner::DockerRunner::new()?)
    }

    /// Creates a submitter that runs closures in Pods of the cluster that `kubectl` uses, with the stage that
    /// `HYPE_STAGING` or `hype.toml` name.
    ///
    /// ```no_run
    /// let submitter = hype::Submitter::kubernetes()?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when no stage is named, or it can't be opened.
    #[cfg(feature = "kubernetes")]
    pub fn kubernetes() -> Result<Self> {
        Self::kubernetes_with(&crate::configuration::Configuration::here()?.bucket()?)
    }

    /// Creates a submitter that runs closures in Pods of the cluster that `kubectl` uses, with the stage at a URL, such
    /// as `gs://bucket/prefix`. For another context or namespace, pass a [`KubernetesRunner`](crate::KubernetesRunner)
    /// to [`new`](Self::new).
    ///
    /// ```no_run
    /// let submitter = hype::Submitter::kubernetes_with("gs://bucket/prefix")?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the stage can't be opened.
    #[cfg(feature = "kubernetes")]
    pub fn kubernetes_with(staging: &str) -> Result<Self> {
        Self::new(Stage::open_or_create(staging)?, crate::runner::KubernetesRunner::new()?)
    }

    /// Creates a submitter that runs closures in Pods of a GKE cluster, with the stage at a URL, such as
    /// `gs://bucket/prefix`. [`KubernetesRunner::gke`](crate::KubernetesRunner::gke) describes the parameters.
    ///
    /// ```no_run
    /// # async fn run() -> hype::Result<()> {
    /// let submitter =
    ///     hype::Submitter::gke("my-project", "europe-west1", "cluster-1", "gs://bucket/prefix").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`KubernetesRunner::gke`](crate::KubernetesRunner::gke), and [`Input`](crate::ErrorKind::Input)
    /// when the stage can't be opened.
    #[cfg(all(feature = "kubernetes", feature = "gcs"))]
    pub async fn gke(project: &str, location: &str, cluster: &str, staging: &str) -> Result<Self> {
        let runner = crate::KubernetesRunner::gke(project, location, cluster).await?;
        Self::new(Stage::open_or_create(staging)?, runner)
    }
}
