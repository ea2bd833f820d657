//! What a stage is opened with besides its URL.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::transfer::Persistence;

/// What a stage is opened with: variables that say where the providers' services are and who we
/// are, and how long to try.
///
/// The variables are those that users of the providers know. They are a value rather than this
/// process's environment, so that one process can use several accounts.
#[derive(Clone)]
pub struct StageOptions {
    variables: BTreeMap<String, String>,
    retry_for: Duration,
}

impl StageOptions {
    /// The environment of this process, and three minutes.
    pub fn new() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(utf8).collect(),
            retry_for: Persistence::DEFAULT,
        }
    }

    /// With these variables and no others.
    #[must_use]
    pub fn with_variables<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        self.variables = variables.map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// With this much time for a request and what is tried again of it; none begins later.
    #[must_use]
    pub fn with_retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    pub(crate) fn retry_for(&self) -> Duration {
        self.retry_for
    }
}

/// What the stores of the cloud providers ask.
#[cfg(feature = "cloud")]
impl StageOptions {
    /// The variable `name`, unless it is empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The variables whose names begin with `prefix`, as lower-case names.
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
    /// Names alone, since values are keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageOptions")
            .field("variables", &self.variables.keys())
            .field("retry_for", &self.retry_for)
            .finish()
    }
}
