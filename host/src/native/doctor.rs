//! Checks that runs can work here: the configuration, the stage, the runner, and a function that does nothing.
//!
//! The command `cargo hype doctor` prints them. A check leaves nothing behind, except for an image that was pulled.
//!
//! ```no_run
//! use futures::StreamExt;
//!
//! # async fn example() {
//! let mut checks = hype::doctor::check();
//! while let Some(check) = checks.next().await {
//!     println!("{:?} {}: {}", check.state, check.name, check.detail);
//! }
//! # }
//! ```

mod configured;
mod reporter;
mod run;
mod stage;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use futures::Stream;

pub use self::configured::check;
pub use self::reporter::Reporter;
#[cfg(test)]
pub(crate) use self::tests::collect;
#[cfg(all(test, feature = "kubernetes"))]
pub(crate) use self::tests::collect_of;
use crate::error::{Error, hint_of};
use crate::run::submitter::Submitter;

/// The time for which a failed request of a check is retried.
pub(crate) const RETRY_TIMEOUT: Duration = Duration::from_secs(5);

/// The check of the room of commands.
pub(crate) const COMMANDS: &str = "commands";

/// The checks that only garbage collection, lists of runs, volumes, commands or reasons of delays need, and the run of
/// `doctor` does not.
const NOT_NEEDED_BY_RUNS: [&str; 6] = [
    COMMANDS,
    "stage: list",
    "stage: clock",
    "rights: persistentvolumeclaims",
    "rights: secrets",
    "rights: events",
];

/// Returns whether a function can't run if the check `name` fails.
fn is_needed_by_runs(name: &str) -> bool {
    !NOT_NEEDED_BY_RUNS.contains(&name)
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// The name of what was checked, such as `stage: write`. Names are unique, and the same on each machine.
    pub name: String,
    /// The result.
    pub state: CheckState,
    /// The finding, on one line.
    pub detail: String,
    /// The steps that fix a failed check.
    pub remedy: Option<String>,
}

/// The state of what was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckState {
    /// The checked thing works.
    Ok,
    /// The checked thing doesn't work.
    Failed,
    /// The check was not made: the rights don't allow it, or an earlier check failed.
    Unknown,
}

impl Check {
    /// Returns the result of the check `name`.
    ///
    /// ```
    /// use hype::doctor::{Check, CheckState};
    ///
    /// let check = Check::new("queue", CheckState::Failed, "it is full").with_remedy("wait");
    /// assert_eq!(check.remedy.as_deref(), Some("wait"));
    /// ```
    pub fn new(name: &str, state: CheckState, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state, detail: detail.into(), remedy: None }
    }

    /// Sets how to fix it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Returns the result of a check that failed with `error`, whose hint is the remedy.
    pub(crate) fn failed(name: &str, error: &Error) -> Self {
        let mut detail = error.to_string();
        for cause in hype_wire::causes(error) {
            detail = format!("{detail}: {}", cause.to_string().replace('\n', " "));
        }
        let check = Self::new(name, CheckState::Failed, detail);
        match hint_of(error) {
            Some(hint) => check.with_remedy(hint),
            None => check,
        }
    }
}

impl Submitter {
    /// Checks the stage and the runner of this submitter, and runs a function that does nothing. Yields each check when
    /// it is done.
    ///
    /// ```no_run
    /// use futures::StreamExt;
    /// use hype::doctor::CheckState;
    ///
    /// # async fn example() -> hype::Result<()> {
    /// let submitter = hype::Submitter::local()?;
    /// let checks: Vec<_> = submitter.check().collect().await;
    /// assert!(checks.iter().all(|check| check.state == CheckState::Ok));
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(&self) -> impl Stream<Item = Check> + Send + Unpin + use<> {
        let submitter = self.clone();
        reporter::stream(async move |reporter| check_submitter(&submitter, &reporter).await)
    }
}

/// Checks the parts of `submitter` from the stage on.
async fn check_submitter(submitter: &Submitter, reporter: &Reporter) {
    let stage = submitter.stage().with_retry_for(RETRY_TIMEOUT);
    stage::check(&stage, SystemTime::now, reporter).await;
    submitter.runner().check(reporter).await;
    run::check(submitter, reporter).await;
}
