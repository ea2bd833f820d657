//! Submission of closures. This module exists on native targets only, not in components.
//!
//! - `call`: components, arguments and closures.
//! - `private_files`: files and directories of this user alone. `removal`: removals that accept missing files.
//! - `environment`: environments of runs, with files, limits, mounts and grants.
//! - `staging`: uploads to the stage before a run.
//! - `run`: submitters and runs, from a closure to its value.
//! - `map`: many closures of one component, whose values arrive as a stream.
//! - `cleanup`: removal of everything that is created outside this process.
//! - `configuration`: options, variables and `hype.toml`. `doctor`: checks that runs can work here.
//! - `program`: the default submitter, the signals and the end of a program.
//! - `progress`: progress bars and lines.
//! - `runner`: runners, which start `hype-run` in this process, in containers or in Pods.

pub(crate) mod blocking_task;
pub(crate) mod call;
pub(crate) mod cleanup;
pub(crate) mod configuration;
pub mod doctor;
pub mod environment;
pub mod error;
pub mod map;
pub(crate) mod names;
#[cfg(any(unix, feature = "local", feature = "docker"))]
pub(crate) mod private_files;
pub(crate) mod program;
pub(crate) mod progress;
#[cfg(any(unix, feature = "local", feature = "docker"))]
pub(crate) mod removal;
pub mod run;
pub mod runner;
pub(crate) mod staging;

pub use hype_stage::Stage;

pub use self::call::closure::Closure;
pub use self::call::component::Component;
pub use self::call::handle::FunctionHandle;
pub use self::environment::{CommandGrant, HostDirectory, RunEnvironment, VolumeRequest};
pub use self::error::{Error, ErrorKind, Failure, FailureKind, Result};
pub use self::program::ambient::{scope, set_default, submit};
pub use self::program::blocking;
pub use self::progress::show_progress;
pub use self::run::{Run, Submitter};
#[cfg(feature = "docker")]
pub use self::runner::DockerRunner;
#[cfg(feature = "kubernetes")]
pub use self::runner::KubernetesRunner;
#[cfg(feature = "local")]
pub use self::runner::LocalRunner;

/// Components, their functions, and the types of arguments and values.
///
/// ```no_run
/// let component = hype::Component::open("target/hype/greet.wasm")?;
/// for function in component.functions() {
///     for parameter in &function.parameters {
///         println!("{}: {}", function.name, parameter.name);
///     }
/// }
/// # hype::Result::Ok(())
/// ```
pub mod component {
    pub use hype_wire::wit::WitFunction;
    pub use hype_wire::{EncodedValue, Function, NotJson, Parameter, ProgramOutput};
    pub use hype_wire::{TextArgument, TextRecord, ValueType, WitType};

    pub use crate::call::arguments::{ArgumentList, Arguments, TextArguments};
    pub use crate::call::component::{Component, ComponentFunction, IntoComponentFunction};
    pub use crate::call::handle::{FunctionHandle, Parameters};
    pub use crate::environment::powers::PowerImport;
    pub use crate::program::awaiting::InEnvironment;
}

/// Types for runs in Pods of a Kubernetes cluster.
///
/// ```
/// use hype::kubernetes::{AccessMode, Readers, Toleration};
///
/// let models = hype::VolumeRequest::persistent("models", "nfs", "50Gi")
///     .with_access_modes([AccessMode::ReadWriteMany])
///     .readers(Readers::Shared);
/// let env = hype::RunEnvironment::new()
///     .with_toleration(Toleration::of("nvidia.com/gpu"))
///     .with_mount(models.mount_read_only("/models"));
/// ```
#[cfg(feature = "kubernetes")]
pub mod kubernetes {
    pub use crate::environment::placement::Toleration;
    pub use crate::environment::sharing::{AccessMode, Readers};
    pub use crate::runner::{KubernetesRunner, PodTimeouts};
}

/// The stage: a prefix of an object store for components, files and values.
///
/// ```no_run
/// use hype::stage::{CollectMode, Digest, MIN_COLLECT_AGE, Stage};
///
/// # async fn run() -> hype::Result<()> {
/// let stage = Stage::open("file:///tmp/stage")?;
/// let report = stage.collect(MIN_COLLECT_AGE, CollectMode::DryRun).await?;
/// println!("{}: {report:?}", stage.url());
/// # Ok(())
/// # }
/// assert_eq!(Digest::of(b"hello"), Digest::of(b"hello"));
/// ```
pub mod stage {

    pub use hype_stage::{CollectMode, CollectReport, MIN_COLLECT_AGE, Stage};
    pub use hype_wire::Digest;
}
