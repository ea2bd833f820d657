//! One attempt at a run, as the submitter passes it to a runner.

use std::sync::Arc;

use bytes::Bytes;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
use hype_stage::Provider;
use hype_stage::Stage;
use hype_wire::{Digest, RunKey, RunManifest};

use crate::cleanup::list::CleanupList;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
use crate::configuration::{Configuration, Key};
use crate::environment::RunEnvironment;
use crate::run::handover::Handover;
use crate::run::log::Log;

/// One attempt at a run, as [`Runner::run`](super::Runner::run) receives it. The manifest has everything else.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// The run's ID.
    pub run_id: String,
    /// The number of the attempt, counted from 1.
    pub number: u32,
    /// The function's name, for messages and labels.
    pub function: String,
    /// The component's name, for messages and labels.
    pub component: String,
    /// The URL of the stage.
    pub stage_url: String,
    /// The URL of the manifest.
    pub manifest_url: String,
    /// The digest of the manifest in the stage. Pass it to the runner process over a trusted channel, such as its command
    /// line. A run without a manifest there doesn't need it.
    pub manifest_digest: Digest,
    /// The parsed manifest, for a runner inside this process. Without it, the runner reads the manifest from the
    /// stage.
    pub manifest: Option<Arc<RunManifest>>,
    /// The stage, if the run may have no manifest there. The runner then takes `manifest`, and returns the outcome
    /// ([`Completion::Returned`](super::Completion::Returned)) in place of writing it. `None` unless the runner
    /// [can do so](super::Plan::returns_outcome).
    pub unstaged: Option<Stage>,
    /// The arguments of a run without a manifest in the stage, if they are too large for `manifest`.
    pub arguments: Option<Bytes>,
    /// The container image of the [`Plan`](super::Plan).
    pub image: Option<String>,
    /// The environment.
    pub env: RunEnvironment,
    /// The key that the runner process seals its outcome with. Pass it over a trusted channel that the closure
    /// can't read, such as standard input.
    pub key: RunKey,
    /// A secret with the stage's credentials, for the runner process alone.
    pub stage_secret: Option<StageSecret>,
    /// The size of the staged files that the runner process writes to its disk, in bytes.
    pub disk: u64,
    /// The log that receives the closure's output.
    pub log: Log,
    /// The cleanup list of the run. The runner registers each resource with it before it creates the resource.
    /// Nothing that the runner starts may hold this handle: the cleanup runs when the last handle is dropped.
    pub cleanup: CleanupList,
    /// A runner whose runs [outlive the program](super::Description::outlives_program) calls `done` on it as soon as this
    /// attempt no longer needs the program.
    pub handover: Handover,
}

/// A secret with the stage's credentials, which the runner process can read and the closure can't.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageSecret {
    /// The secret's name.
    pub name: String,
    /// The absolute path at which the runner process finds the secret's files.
    pub path: String,
}

/// The path of the configured secret's files, unless the program names a secret and its path.
#[cfg(any(feature = "docker", feature = "kubernetes"))]
const CONFIGURED_PATH: &str = "/run/hype/stage-secret";

#[cfg(any(feature = "docker", feature = "kubernetes"))]
impl StageSecret {
    /// Returns the secret of `configuration`, if there is one.
    pub(crate) fn configured(configuration: &Configuration) -> Option<Self> {
        let name = configuration.get(Key::StageSecret)?.to_owned();
        Some(Self { name, path: CONFIGURED_PATH.to_owned() })
    }
}

#[cfg(any(feature = "docker", feature = "kubernetes"))]
impl Attempt {
    /// Lets the attempt use `configured`, unless the program names a secret of the stage. A stage that is a directory
    /// needs no credentials.
    pub(crate) fn use_configured_secret(&mut self, configured: Option<&StageSecret>) {
        if self.stage_secret.is_none() && Provider::of(&self.stage_url).is_some() {
            self.stage_secret = configured.cloned();
        }
    }
}
