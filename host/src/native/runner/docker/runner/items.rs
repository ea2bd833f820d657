//! The items of maps in containers: each container runs one item at a time, and many in turn.

use std::sync::Arc;

use futures::future::BoxFuture;
use hype_wire::launch::Role;

use super::super::item_container::Containers;
use super::{DockerRunner, Inner};
use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::map::items::Items;
use crate::map::processes;
use crate::runner::{Attempt, ItemRunner, Process};

/// The minimum of the default number of containers, so that an item that waits doesn't stop all others.
const MIN_CONTAINERS: usize = 2;

/// The maximum number of containers: a map has no more items in flight.
const MAX_CONTAINERS: usize = 1024;

impl ItemRunner for DockerRunner {
    fn run_items(&self, mut attempt: Attempt, items: Items) -> BoxFuture<'static, Result<()>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            attempt.use_configured_secret(inner.stage_secret.as_ref());
            inner.run_items(&attempt, items).await
        })
    }

    /// Commands can change the `/tmp` of their container, and so what later items see.
    fn can_share_process(&self, env: &RunEnvironment) -> bool {
        env.commands().is_empty()
    }

    fn can_run_staged_items(&self) -> bool {
        true
    }
}

impl Inner {
    async fn run_items(&self, attempt: &Attempt, items: Items) -> Result<()> {
        let mut process = Process::of(attempt);
        process.invocation.role = Role::Items;
        let (daemon, body) = self.container(attempt, &process).await?;
        let count = items.parallelism().unwrap_or(daemon.processors.max(MIN_CONTAINERS));
        let count = count.min(MAX_CONTAINERS);
        let containers =
            Containers::new(daemon, &process, attempt.number, body, self.reconnect_timeout);
        processes::run(&containers, count, attempt, items).await
    }
}
