//! Everything that submits closures, which exists natively alone. Components have none of it.
//!
//! - `call`: components, arguments and closures.
//! - `environment`: where and with what a closure runs.
//! - `staging`: what is put into the stage before a run.
//! - `run`: submitters and runs, from a closure to its value.
//! - `cleanup`: what is made outside this process and removed again.
//! - `program`: what a program has once: its default submitter, configuration, signals and end.
//! - `progress`: what is shown while runs go on.
//! - `runner`: how and where `hype-run` is started.

pub(crate) mod blocking_task;
pub(crate) mod call;
pub(crate) mod cleanup;
pub(crate) mod configuration;
pub mod environment;
pub mod error;
pub(crate) mod names;
pub(crate) mod program;
pub(crate) mod progress;
pub mod run;
pub mod runner;
pub(crate) mod staging;

pub use hype_stage::Stage;

pub use self::call::closure::Closure;
pub use self::call::component::Component;
pub use self::environment::{HostDirectory, RunEnvironment, VolumeRequest};
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

/// Components, the functions in them, and how their arguments and values are described.
pub mod component {
    pub use hype_wire::{EncodedValue, Function, NotJson, Parameter, TextArgument};
    pub use hype_wire::{ValueType, WitType};

    pub use crate::call::arguments::{ArgumentList, Arguments, TextArguments};
    pub use crate::call::component::{Component, ComponentFunction, IntoComponentFunction};
    pub use crate::environment::powers::PowerImport;
    pub use crate::program::awaiting::InEnvironment;
}

/// Runs in Pods of a Kubernetes cluster.
#[cfg(feature = "kubernetes")]
pub mod kubernetes {
    pub use crate::environment::placement::Toleration;
    pub use crate::environment::sharing::{AccessMode, Readers};
    pub use crate::runner::{Graces, KubernetesRunner};
}

/// The stage: the prefix of an object store through which components, files and values go.
pub mod stage {
    pub use hype_stage::{Collected, LEAST_AGE, Removal, Stage};
    pub use hype_wire::Digest;
}
