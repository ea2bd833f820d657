//! Processes of `hype-run`, whatever starts them.

use std::collections::BTreeMap;

use hype_wire::RunKey;
use hype_wire::launch::{self, Invocation};

use super::{Attempt, StageSecret, labels};
use crate::cleanup::owned::Owned;
use crate::environment::RunEnvironment;
use crate::run::handover::Handover;
use crate::run::lease;
use crate::run::log::Log;

/// A process of `hype-run` that is to be started: everything about it that does not depend on what starts
/// it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Process {
    /// A name that no other process of the stage has: `RUN-ATTEMPT`.
    pub name: String,
    /// The run's name.
    pub run_id: String,
    /// The container image; `None` where there are no images.
    pub image: Option<String>,
    /// The command line. What starts the process adds where the key comes from and where the termination
    /// line goes.
    pub invocation: Invocation,
    /// The run's key, for a source that nothing but the process can read: its standard input.
    pub key: RunKey,
    /// Its variables, but for those by which it reaches the stage.
    pub variables: BTreeMap<String, String>,
    /// Labels by which what belongs to hype is found again, by their names.
    pub labels: BTreeMap<&'static str, String>,
    /// The environment: its mounts, secrets, resources and powers.
    pub env: RunEnvironment,
    /// The URL of the stage.
    pub stage_url: String,
    /// A secret for the process alone, by which it reaches the stage.
    pub stage_secret: Option<StageSecret>,
    /// The bytes of staged files that it writes to its disk.
    pub disk: u64,
    /// The log of the closure's output.
    pub log: Log,
    /// The cleanup list of the run: what is made for the process is registered with it before. What is started
    /// must not hold it: its cleanup runs when the last handle goes.
    pub owned: Owned,
    /// Tells from when on the process no longer needs this program.
    pub handover: Handover,
}

impl Process {
    /// Returns the process that runs `attempt`.
    pub fn of(attempt: &Attempt) -> Self {
        let Attempt { run_id, number, .. } = attempt;
        let mut invocation = Invocation::new(&attempt.manifest_url);
        invocation.digest = Some(attempt.manifest_digest);
        let variables = [
            (launch::EXECUTION_ID.to_owned(), run_id.clone()),
            (launch::ATTEMPT.to_owned(), number.to_string()),
        ];
        let labels = [
            (labels::RUN, run_id.clone()),
            (labels::SUBMITTER, lease::owner().to_owned()),
            (labels::FUNCTION, attempt.function.clone()),
            (labels::COMPONENT, attempt.component.clone()),
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
            owned: attempt.owned.clone(),
            handover: attempt.handover.clone(),
        }
    }

    /// Returns whether the closure may use the network.
    pub fn needs_network(&self) -> bool {
        self.env.powers().need_network()
    }
}

#[cfg(test)]
impl Process {
    /// Returns the second attempt at a run of `train` in `env`, for tests of what backends make of it.
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
            image: Some("spotify/hype:1.2.3".into()),
            env,
            key: RunKey::new([7; 32]),
            stage_secret: None,
            disk: 0,
            log: Log::new("run"),
            owned: Owned::of_submitter(&Background::start().unwrap()),
            handover: Handover::new(),
        });
        process.labels.insert(labels::SUBMITTER, "hype-owner".into());
        process.labels.insert(labels::EXPIRY, "1800000000".into());
        process
    }
}
