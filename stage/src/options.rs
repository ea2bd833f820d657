//! The options with which a stage is opened.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::transfer::RetryPolicy;

/// The variable that declares a stage in a directory as shared.
const SHARED: &str = "HYPE_STAGE_SHARED";

/// The options with which a stage is opened: the variables that hold endpoints and credentials, and the
/// retry time.
///
/// The variables are those of the providers' own tools. They are passed as a value, so that one process
/// can use several accounts.
///
/// ```
/// use std::time::Duration;
///
/// use hype_stage::{Stage, StageOptions};
///
/// # fn main() -> Result<(), hype_stage::StageError> {
/// let options = StageOptions::new()
///     .with_variables([("STORAGE_EMULATOR_HOST", "localhost:4443")])
///     .with_retry_for(Duration::from_secs(10));
/// // Debug output has names, never values, since they may be secret.
/// assert!(format!("{options:?}").contains("STORAGE_EMULATOR_HOST"));
/// assert!(!format!("{options:?}").contains("4443"));
/// let stage = Stage::open_with("memory://docs/options", &options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StageOptions {
    variables: BTreeMap<String, String>,
    retry_for: Duration,
    is_shared: bool,
}

impl StageOptions {
    /// Creates options with the environment variables of this process and a retry time of 3 minutes.
    pub fn new() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(utf8).collect(),
            retry_for: RetryPolicy::DEFAULT_TIME,
            is_shared: std::env::var_os(SHARED).is_some_and(|value| value == "1"),
        }
    }

    /// Sets the variables, in place of those of the process.
    #[must_use]
    pub fn with_variables<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        self.variables = variables.map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// Sets the retry time: a failed request is retried with exponential backoff until it has passed.
    #[must_use]
    pub fn with_retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// Declares a stage in a directory as shared by users of this machine who trust each other: they may own it and
    /// write to it. The variable `HYPE_STAGE_SHARED=1` does so for [`new`](Self::new).
    #[must_use]
    pub fn with_sharing(mut self) -> Self {
        self.is_shared = true;
        self
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    pub(crate) fn retry_for(&self) -> Duration {
        self.retry_for
    }
}

#[cfg(feature = "cloud")]
impl StageOptions {
    /// Returns the variable `name`, unless it is empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns the variables whose names start with `prefix`, with the names in lower case.
    pub(crate) fn lower_case(&self, prefix: &str) -> impl Iterator<Item = (String, &str)> {
        let named = self.variables.iter().filter(move |(name, _)| name.starts_with(prefix));
        named
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
    }
}

impl Default for StageOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for StageOptions {
    /// Writes the names of the variables only, since values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageOptions")
            .field("variables", &self.variables.keys())
            .field("retry_for", &self.retry_for)
            .finish()
    }
}
