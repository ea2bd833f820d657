//! A map whose runner can't take items: each item is a run.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use crate::call::closure::Call;
use crate::environment::RunEnvironment;
use crate::error::{ErrorKind, Result};
use crate::map::items::{ItemEnd, ItemFunction, Returned};
use crate::map::node::Node;
use crate::map::options::MapOptions;
use crate::map::report::recorder::{ItemTrace, Recorder};
use crate::map::retry::{Next, Retries, RetryOptions, infrastructure_retries};
use crate::run::handle::Run;
use crate::run::submitter::Submitter;

/// The default number of concurrent runs.
const PARALLELISM: usize = 8;

/// The runs of items.
pub(crate) struct SeparateRuns {
    running: FuturesUnordered<BoxFuture<'static, ItemEnd>>,
    parallelism: usize,
    recorder: Recorder,
    retries: RetryOptions,
    /// Whether an item runs again after a failure of the infrastructure.
    has_retries: bool,
    /// True once a function was called.
    has_called: bool,
    /// The ends of items that failed before any function was called. If all that have started end like this, it is the
    /// error of the map; no other item starts until that is known.
    doubtful: Vec<ItemEnd>,
}

impl SeparateRuns {
    pub(crate) fn new(options: &MapOptions, recorder: &Recorder) -> Self {
        let parallelism = options.parallelism.unwrap_or(PARALLELISM);
        Self {
            running: FuturesUnordered::new(),
            parallelism,
            recorder: recorder.clone(),
            retries: options.retries.clone(),
            has_retries: false,
            has_called: false,
            doubtful: Vec::new(),
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.running.len() < self.parallelism && self.doubtful.is_empty()
    }

    /// Starts the run of an item.
    pub(crate) fn start(
        &mut self,
        submitter: &Submitter,
        index: u64,
        function: Arc<ItemFunction>,
        call: Call,
        env: &RunEnvironment,
    ) {
        let arguments = call.argument_size();
        let item = Node::of_number(index).first_item();
        let mut trace = self.recorder.queue(item, call.function(), arguments);
        trace.begin_on_free_worker();
        self.has_retries = infrastructure_retries(env) > 0;
        let runs = ItemRuns {
            submitter: submitter.clone(),
            call,
            env: env.with_retries(infrastructure_retries(env)),
            retries: Retries::new(&self.retries, env),
        };
        // The first run proceeds without polling.
        let first = runs.start();
        self.running.push(Box::pin(async move {
            let result = runs.end(first, &mut trace).await;
            let result = result.map(|bytes| Returned { function, bytes });
            trace.end(result.as_ref().map(|returned| returned.bytes.len() as u64));
            ItemEnd { index, arguments, result }
        }));
    }

    /// Returns the end of the next item that ends. An error is that of the map.
    pub(crate) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ItemEnd>>> {
        loop {
            if self.has_called
                && let Some(end) = self.doubtful.pop()
            {
                return Poll::Ready(Some(Ok(end)));
            }
            match ready!(self.running.poll_next_unpin(context)) {
                Some(end) if !self.has_called && self.is_shared(&end) => self.doubtful.push(end),
                Some(end) => {
                    self.has_called = true;
                    return Poll::Ready(Some(Ok(end)));
                }
                None => {
                    let first = self.doubtful.drain(..).next();
                    return Poll::Ready(first.and_then(|end| end.result.err()).map(Err));
                }
            }
        }
    }

    /// Returns whether an item failed because of what all items share: the environment, the stage, the runner, or the
    /// infrastructure in all its attempts. Its arguments were checked before it started. An item without retries was lost
    /// for a reason of its own.
    fn is_shared(&self, end: &ItemEnd) -> bool {
        end.result.as_ref().is_err_and(|error| match error.kind() {
            ErrorKind::Input | ErrorKind::Stage | ErrorKind::Runner => error.failure().is_none(),
            _ => self.has_retries && error.is_infrastructure(),
        })
    }
}

/// The runs of an item: its attempts.
struct ItemRuns {
    submitter: Submitter,
    call: Call,
    /// Its retries are those after failures of the infrastructure, which the run itself makes.
    env: RunEnvironment,
    retries: Retries,
}

impl ItemRuns {
    fn start(&self) -> Run<()> {
        self.submitter.spawn_call(self.call.clone(), &self.env)
    }

    /// Waits for the end of the item, and starts its other runs.
    async fn end(mut self, mut run: Run<()>, trace: &mut ItemTrace) -> Result<Bytes> {
        let mut attempts = 0;
        loop {
            let measured = run.measured();
            let result = run.into_bytes().await;
            let (made, statistics) = measured.get();
            attempts += made;
            trace.measure(attempts, statistics);
            let Err(error) = &result else { return result };
            let next = error.failure().filter(|it| !it.kind.is_infrastructure());
            let Some(Next::Retry { delay, memory }) = next.map(|it| self.retries.after(it)) else {
                return result;
            };
            tracing::warn!("an item failed, its next run follows in {delay:?}: {error}");
            tokio::time::sleep(delay).await;
            self.env = memory.map_or(self.env.clone(), |bytes| self.env.with_memory(bytes));
            run = self.start();
        }
    }
}
