//! The properties of a runner, and its plans of runs.

use crate::environment::RunEnvironment;

/// Constant properties of a runner.
///
/// ```
/// use hype::runner::Runner;
///
/// # fn main() -> hype::Result<()> {
/// let description = hype::LocalRunner::new()?.description();
/// assert!(!description.outlives_program);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The location of its processes, as a phrase for messages: `in this process`.
    pub location: String,
    /// Whether its runs continue when the submitting process has ended. If so, [`Runner::run`](super::Runner::run) reports by
    /// [`Attempt::handover`](super::Attempt::handover) from when on they do.
    pub outlives_program: bool,
}

/// A run to be planned, before anything is created or uploaded for it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PlanRequest<'a> {
    /// The URL of the stage.
    pub stage_url: &'a str,
    /// The environment.
    pub env: &'a RunEnvironment,
    /// The container image that the closure names, else the environment's.
    pub image: Option<&'a str>,
    /// Whether one process makes many calls, as for the items of an [`ItemRunner`](super::ItemRunner). A process of a
    /// single run makes one call, in machine code without checks.
    pub shares_process: bool,
}

/// The choices that a runner makes for a run, before anything is created or uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The container image; `None` for a runner without images.
    pub image: Option<String>,
    /// The platform and the kind of the machine code that the submitter compiles, as `hype-run` names them:
    /// `x86_64-unchecked`, or `x86_64` for processes that make many calls. `None` if `hype-run` compiles by itself.
    pub platform: Option<String>,
    /// The location of the run, such as `kubernetes:NAMESPACE`, which the manifest records. An attaching program
    /// passes it to [`Runner::add_search_location`](super::Runner::add_search_location). `None` for runs that end with this process.
    pub run_location: Option<String>,
    /// Whether the runner can do without a manifest and an outcome in the stage, see
    /// [`Attempt::unstaged`](super::Attempt::unstaged). The submitter then writes both only for a run that lasts some seconds, is
    /// detached, or isn't awaited when it ends.
    pub returns_outcome: bool,
}

impl Plan {
    /// Returns the plan of a run by a process of `hype-run` on this machine that ends with this process: no image, no
    /// location, and machine code for this processor.
    ///
    /// ```
    /// use hype::runner::Plan;
    ///
    /// let plan = Plan::on_this_machine();
    /// assert_eq!((plan.image, plan.run_location), (None, None));
    /// ```
    #[cfg(feature = "local")]
    pub fn on_this_machine() -> Self {
        use hype_run::{CodeKind, Platform, Target};

        let target = |platform| Target { platform, kind: CodeKind::Unchecked };
        let platform = Platform::here().map(|platform| target(platform).to_string());
        Self { platform, ..Self::default() }
    }
}
