//! Options of a map.

use std::time::Duration;

use crate::environment::RunEnvironment;
use crate::map::retry::RetryOptions;

/// The options of a map, which are fixed when it starts.
#[derive(Debug, Clone, Default)]
pub(crate) struct MapOptions {
    /// The maximum number of items that run concurrently; `None` for the runner's default.
    pub(crate) parallelism: Option<usize>,
    /// The maximum number of items that a worker takes at once; `None` for the runner's default.
    pub(crate) batch: Option<usize>,
    pub(crate) item_timeout: Option<Duration>,
    /// The number of items, if it is known before they start. Only the display of progress needs it.
    pub(crate) expected_items: Option<u64>,
    pub(crate) retries: RetryOptions,
}

impl MapOptions {
    /// Returns the environment of an item.
    pub(crate) fn env_of_item(&self, env: &RunEnvironment) -> RunEnvironment {
        match self.item_timeout {
            Some(timeout) => env.with_timeout(timeout),
            None => env.clone(),
        }
    }
}
