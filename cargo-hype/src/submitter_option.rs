//! The options that choose a submitter. They override variables and `hype.toml`.

use std::process::ExitCode;

use clap::Args;
use hype::__internal::{Key, Options};

use crate::error::{Error, Result};

/// The settings chosen on the command line.
#[derive(Debug, Clone, Default, Args)]
pub struct SubmitterOption {
    /// The submitter: local, docker or kubernetes [default: HYPE_SUBMITTER, hype.toml, local]
    #[arg(long, help_heading = "Submitter", value_name = "NAME")]
    pub submitter: Option<String>,
    /// The stage, e.g. gs://bucket/prefix [default: HYPE_STAGING, hype.toml, the user's cache]
    #[arg(long, help_heading = "Submitter", value_name = "URL")]
    pub staging: Option<String>,
    /// The image of containers [default: HYPE_IMAGE, hype.toml, spotify/hype of this version]
    #[arg(long, help_heading = "Submitter", value_name = "NAME")]
    pub image: Option<String>,
    /// The context of the kubeconfig [default: HYPE_CONTEXT, hype.toml, the current one]
    #[arg(long, help_heading = "Submitter", value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace of Pods [default: HYPE_NAMESPACE, hype.toml, that of the context]
    #[arg(long, help_heading = "Submitter", value_name = "NAME")]
    pub namespace: Option<String>,
    /// The service account of Pods [default: HYPE_SERVICE_ACCOUNT, hype.toml, the namespace's]
    #[arg(long, help_heading = "Submitter", value_name = "NAME")]
    pub service_account: Option<String>,
    /// The secret with the bucket's key [default: HYPE_STAGE_SECRET, hype.toml, none]
    #[arg(long, help_heading = "Submitter", value_name = "NAME")]
    pub stage_secret: Option<String>,
    /// The profile of hype.toml [default: HYPE_PROFILE, none]
    #[arg(long, help_heading = "Submitter", value_name = "NAME")]
    pub hype_profile: Option<String>,
}

/// The options of commands that search the stage and the runner for runs.
#[derive(Debug, Clone, Default, Args)]
pub struct SearchOptions {
    #[command(flatten)]
    submitter: SubmitterOption,
    /// Search this namespace of the cluster, besides that of Pods; may be repeated
    #[arg(long = "also-namespace", help_heading = "Submitter", value_name = "NAME")]
    namespaces: Vec<String>,
}

impl SearchOptions {
    /// Makes the choices those of this process, runs `work`, and passes its result to `conclude`.
    ///
    /// Returns the exit status of `conclude`, or 130 after Ctrl-C.
    pub(crate) fn run<T>(
        &self,
        work: impl Future<Output = Result<T>>,
        conclude: impl FnOnce(Result<T>) -> ExitCode,
    ) -> ExitCode {
        self.submitter.apply();
        match hype::__internal::choose_namespaces(&self.namespaces) {
            Ok(()) => {
                hype::__internal::run_main(async { conclude(work.await.map_err(Error::explained)) })
            }
            Err(error) => conclude(Err(error.into())),
        }
    }
}

impl SubmitterOption {
    /// Makes the choices those of this process.
    pub(crate) fn apply(&self) {
        self.choices().apply();
    }

    /// Returns the choices.
    pub(crate) fn choices(&self) -> Options {
        let values = [
            (Key::Submitter, &self.submitter),
            (Key::Staging, &self.staging),
            (Key::Image, &self.image),
            (Key::Context, &self.context),
            (Key::Namespace, &self.namespace),
            (Key::ServiceAccount, &self.service_account),
            (Key::StageSecret, &self.stage_secret),
        ];
        let chosen = |(key, value): (Key, &Option<String>)| Some((key, value.clone()?));
        Options {
            profile: self.hype_profile.clone(),
            values: values.into_iter().filter_map(chosen).collect(),
        }
    }
}
