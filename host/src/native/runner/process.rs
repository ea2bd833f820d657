//! Processes of `hype-run`, independent of the backend that starts them.

use std::collections::BTreeMap;

use hype_wire::RunKey;
use hype_wire::launch::{self, Invocation};

use super::{Attempt, StageSecret, labels};
use crate::cleanup::list::CleanupList;
use crate::environment::RunEnvironment;
use crate::run::handover::Handover;
use crate::run::lease;
use crate::run::log::Log;

/// A process of `hype-run` to be started: everything that doesn't depend on the backend.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Process {
    /// The name `RUN-ATTEMPT`, unique in the stage.
    pub name: String,
    /// The run's ID.
    pub run_id: String,
    /// The container image; `None` for a runner without images.
    pub image: Option<String>,
    /// The command line. The backend adds the source of the key and the file for the termination line.
    pub invocation: Invocation,
    /// The run's key. Pass it over a channel that only the process can read, such as its standard input.
    pub key: RunKey,
    /// The environment variables of the process, without those that lead it to the stage.
    pub variables: BTreeMap<String, String>,
    /// Labels by which other processes find the resources of hype; keys are names.
    pub labels: BTreeMap<&'static str, String>,
    /// The environment: its mounts, secrets, resources and powers.
    pub env: RunEnvironment,
    /// The URL of the stage.
    pub stage_url: String,
    /// A secret with the stage's credentials, for the process alone.
    pub stage_secret: Option<StageSecret>,
    /// The size of the staged files that the process writes to its disk, in bytes.
    pub disk: u64,
    /// The log of the closure's output.
    pub log: Log,
    /// The cleanup list of the run. Register each resource before you create it. The process must not hold this
    /// handle: the cleanup runs when the last handle is dropped.
    pub cleanup: CleanupList,
    /// Reports the moment from which the process no longer needs this program.
    pub handover: Handover,
}

impl Process {
    /// Returns the process that runs `attempt`.
    ///
    /// ```
    /// use std::process::Command;
    ///
    /// use hype::runner::launch::KeySource;
    /// use hype::runner::{Attempt, Process};
    ///
    /// /// Returns the command of `attempt`. Write the key to its standard input after the start.
    /// fn command(attempt: &Attempt) -> Command {
    ///     let process = Process::of(attempt);
    ///     let mut invocation = process.invocation;
    ///     invocation.key = Some(KeySource::StandardInput);
    ///     invocation.termination_log = Some("/var/tmp/termination-log".into());
    ///     let mut command = Command::new("hype-run");
    ///     command.args(invocation.to_args()).envs(process.variables);
    ///     command
    /// }
    /// ```
    pub fn of(attempt: &Attempt) -> Self {
        let Attempt { run_id, number, .. } = attempt;
        let mut invocation = Invocation::new(&attempt.manifest_url);
        invocation.digest = Some(attempt.manifest_digest);
        let variables = [
            (launch::EXECUTION_ID_VARIABLE.to_owned(), run_id.clone()),
            (launch::ATTEMPT_VARIABLE.to_owned(), number.to_string()),
        ];
        let labels = [
            (labels::RUN, run_id.clone()),
            (labels::SUBMITTER, lease::owner().to_owned()),
            (labels::FUNCTION, attempt.function.clone()),
            (labels::COMPONENT, attempt.component.clone()),
            (labels::MANIFEST, attempt.manifest_digest.to_string()),
            (labels::EXPIRY, labels::expiry(attempt.env.timeout())),
        ];
        Self {
            name: format!("{run_id}-{number}"),
            run_id: run_id.clone(),
            image: attempt.image.clone(),
            invocation,
            key: attempt.key.clone(),
            variables: variables.into(),
            labels: labels.into(),
            env: attempt.env.clone(),
            stage_url: attempt.stage_url.clone(),
            stage_secret: attempt.stage_secret.clone(),
            disk: attempt.disk,
            log: attempt.log.clone(),
            cleanup: attempt.cleanup.clone(),
            handover: attempt.handover.clone(),
        }
    }

    /// Returns whether the closure may use the network.
    pub fn needs_network(&self) -> bool {
        self.env.powers().needs_network()
    }
}

#[cfg(test)]
#[cfg(any(feature = "docker", feature = "kubernetes"))]
impl Process {
    /// Returns the second attempt at a run of `train` in `env`, for tests of the backends.
    pub(crate) fn example(env: RunEnvironment) -> Self {
        use hype_wire::Digest;

        use crate::cleanup::background::Background;

        let mut process = Self::of(&Attempt {
            run_id: "hype-run-abcdefghij".into(),
            number: 2,
            function: "train".into(),
            component: "models.wasm".into(),
            stage_url: "gs://bucket/prefix".into(),
            manifest_url: "gs://bucket/prefix/runs/hype-run-abcdefghij/manifest".into(),
            manifest_digest: Digest::of(b"manifest"),
            manifest: None,
            unstaged: None,
            arguments: None,
            image: Some("spotify/hype:1.2.3".into()),
            env,
            key: RunKey::new([7; 32]),
            stage_secret: None,
            disk: 0,
            log: Log::new("run"),
            cleanup: CleanupList::of_submitter(&Background::start().unwrap()),
            handover: Handover::new(),
        });
        process.labels.insert(labels::SUBMITTER, "hype-owner".into());
        process.labels.insert(labels::EXPIRY, "1800000000".into());
        process
    }
}
