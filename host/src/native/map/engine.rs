//! The engine of a map: starts items while there is room for them, and collects their ends.

mod following;
mod staging;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use hype_wire::{RunId, item_seed, one_line};
use tokio::sync::mpsc::UnboundedReceiver;

use self::following::Following;
use self::staging::Staging;
use crate::call::closure::Call;
use crate::call::component::ComponentFunction;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::map::calls::{Found, Functions, Rejection};
use crate::map::driver::MapJob;
use crate::map::items::{self, ItemEnd, ItemFunction, ItemSender};
use crate::map::options::MapOptions;
use crate::map::progress::Progress;
use crate::map::report::recorder::Recorder;
use crate::map::separate::SeparateRuns;
use crate::map::staged::input::Input;
use crate::map::staged::plan::NewItem;
use crate::map::window::Window;
use crate::names::new_run_id;
use crate::run::handle::Run;
use crate::run::submitter::Submitter;

pub(crate) struct Engine {
    pub(crate) options: MapOptions,
    pub(crate) recorder: Recorder,
    submitter: Submitter,
    env: RunEnvironment,
    /// The closures that have not started yet; `None` after the last one.
    input: Option<BoxStream<'static, Input>>,
    functions: Functions,
    window: Window,
    /// `None` before the first item.
    progress: Option<Progress>,
    /// The number of started items.
    started: u64,
    /// Items that failed before they reached the runner.
    rejected: VecDeque<ItemEnd>,
    backend: Backend,
    /// The error with which the map ends once its running items have ended.
    error: Option<Error>,
    /// `None` if the map is not staged.
    staging: Option<Staging>,
    following: Following,
}

/// The place where items run.
enum Backend {
    /// No item has started yet.
    Unstarted,
    /// A runner that takes items.
    Runner(Box<ItemRun>),
    /// A runner that can't: each item is a run.
    Separate(SeparateRuns),
    /// The map is over.
    Over,
}

/// The run of a map whose runner takes items.
struct ItemRun {
    /// `None` after the last item.
    items: Option<ItemSender>,
    ends: UnboundedReceiver<ItemEnd>,
    run: Run<()>,
    /// The end of the run, once it has ended.
    ended: Option<Result<()>>,
}

impl Engine {
    pub(crate) fn new(
        submitter: Submitter,
        env: RunEnvironment,
        input: BoxStream<'static, Input>,
    ) -> Self {
        Self {
            options: MapOptions::default(),
            recorder: Recorder::default(),
            submitter,
            env,
            input: Some(input),
            functions: Functions::default(),
            window: Window::default(),
            progress: None,
            started: 0,
            rejected: VecDeque::new(),
            backend: Backend::Unstarted,
            error: None,
            staging: None,
            following: Following::default(),
        }
    }

    /// Returns the number of items that have started.
    pub(crate) fn started(&self) -> u64 {
        self.started
    }

    /// Makes room for another item, since the program gets a value of `size` bytes.
    pub(crate) fn release(&mut self, size: u64) {
        self.window.release(size);
    }

    /// Stops all items.
    pub(crate) fn stop(&mut self) {
        self.input = None;
        self.rejected.clear();
        self.progress = None;
        self.backend = Backend::Over;
    }

    /// Stops all items of a map that ends with an error of its own. It is removed, unless an item has a result.
    fn stop_failed(&mut self) {
        if self.recorder.counts().done == 0 {
            self.release_staging();
        }
        self.stop();
    }

    /// Stops all items, and removes everything that the map created.
    pub(crate) async fn cancel(self) -> Result<()> {
        self.release_staging();
        let attached = self.staging.filter(|staging| staging.is_attached);
        if let Some(staging) = attached {
            if let Backend::Runner(item_run) = self.backend {
                item_run.run.cancel().await?;
            }
            return self.submitter.cancel(&staging.id).await;
        }
        match self.backend {
            Backend::Runner(item_run) => item_run.run.cancel().await,
            started => {
                drop(started);
                self.submitter.wait_for_removals().await;
                Ok(())
            }
        }
    }

    /// Returns the end of the next item that ends. An error is that of the map, which is then over.
    pub(crate) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ItemEnd>>> {
        loop {
            match ready!(self.poll_call(context)) {
                Some(Ok(end)) => match self.follow(end) {
                    Some(end) => return Poll::Ready(Some(Ok(end))),
                    None => continue,
                },
                other => return Poll::Ready(other),
            }
        }
    }

    /// Returns the end of the next call that ends: that of an item, a step of one, or a merge.
    fn poll_call(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ItemEnd>>> {
        self.start_following();
        if let Err(error) = self.start_items(context) {
            self.stop_failed();
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(end) = self.rejected.pop_front() {
            return Poll::Ready(Some(Ok(self.record(end))));
        }
        let polled = match &mut self.backend {
            Backend::Runner(run) => run.poll_end(context, self.window.is_idle()),
            Backend::Separate(runs) => runs.poll_end(context),
            Backend::Over => return Poll::Ready(None),
            Backend::Unstarted => Poll::Ready(None),
        };
        match polled {
            Poll::Ready(Some(Ok(end))) => Poll::Ready(Some(Ok(self.record(end)))),
            Poll::Ready(Some(Err(error))) => {
                self.stop_failed();
                Poll::Ready(Some(Err(error)))
            }
            _ if self.input.is_none()
                && self.window.is_idle()
                && !self.following.awaits_calls() =>
            {
                let flushed = ready!(self.poll_flushed(context));
                let error = self.error.take().or(flushed.err());
                match &error {
                    Some(_) => self.stop_failed(),
                    None => {
                        self.release_staging();
                        self.stop();
                    }
                }
                Poll::Ready(error.map(Err))
            }
            _ => Poll::Pending,
        }
    }

    fn record(&mut self, end: ItemEnd) -> ItemEnd {
        self.window.end(end.arguments, end.size());
        if let Some(progress) = &mut self.progress {
            progress.update(&self.recorder);
        }
        end
    }

    /// Starts items while there are any, and room for them.
    fn start_items(&mut self, context: &mut Context<'_>) -> Result<()> {
        while let Some(input) = &mut self.input
            && self.window.has_room()
            && self.backend.has_room()
        {
            if let Some(staging) = &self.staging
                && !staging.stager.poll_room(context)?
                && !staging.stager.expects(self.started)
            {
                return Ok(());
            }
            match input.poll_next_unpin(context) {
                Poll::Ready(Some(input)) => self.start_input(input),
                Poll::Ready(None) => self.end_input(),
                Poll::Pending => return Ok(()),
            }
        }
        if let (None, Backend::Runner(run)) = (&self.input, &mut self.backend)
            && !self.following.is_open(self.window.is_idle())
        {
            run.items = None;
        }
        Ok(())
    }

    /// Begins to display the progress of the map, unless it is displayed.
    fn show_progress(&mut self, function: &str) {
        let items = self.options.expected_items.map(|items| self.following.calls(items));
        self.progress.get_or_insert_with(|| Progress::start(function, items));
    }

    fn start_item(&mut self, call: Call) {
        self.show_progress(call.function());
        match self.functions.find(self.started, &call) {
            Ok(found) => self.start_found(found, call),
            Err(Rejection::Item(error)) => self.reject(call.function(), error),
            Err(Rejection::Map(error)) => {
                self.error = Some(error);
                self.input = None;
            }
        }
    }

    fn start_found(&mut self, Found { function, is_new }: Found, mut call: Call) {
        if let Some(component_function) = is_new {
            let checked = self.check_component(&component_function);
            if let Err(error) = checked.and_then(|()| self.find_following()) {
                self.error = Some(error);
                self.input = None;
                return;
            }
            if let Backend::Unstarted = &self.backend {
                self.backend = self.start_backend(&call, component_function);
            }
        }
        let index = self.started;
        let seed = self.env.seed().map(|seed| item_seed(seed, index));
        match &mut self.backend {
            Backend::Runner(run) => match call.take_arguments() {
                Ok(arguments) => {
                    self.window.start(arguments.len() as u64);
                    run.send(index, Arc::clone(&function), arguments.clone(), seed);
                    self.plan(|| NewItem::Call { function, arguments, seed });
                }
                Err(error) => return self.reject(call.function(), error),
            },
            Backend::Separate(runs) => {
                if let Err(error) = call.check_arguments() {
                    return self.reject(call.function(), error);
                }
                let env = self.options.env_of_item(&self.env);
                let env = seed.map_or(env.clone(), |seed| env.deterministic(seed));
                self.window.start(call.argument_size());
                runs.start(&self.submitter, index, function, call, &env);
            }
            Backend::Unstarted | Backend::Over => return,
        }
        self.started += 1;
    }

    fn start_backend(&mut self, call: &Call, function: ComponentFunction) -> Backend {
        let runner = self.submitter.runner().items();
        if runner.is_none_or(|runner| !runner.can_share_process(&self.env)) {
            return Backend::Separate(SeparateRuns::new(&self.options, &self.recorder));
        }
        let (id, unstarted) = match &mut self.staging {
            // The id is one that `stage` has made.
            Some(staging) => (staging.id.parse(), staging.unstarted.take()),
            None => (Ok(new_run_id()), None),
        };
        let id = id.unwrap_or_else(|_| new_run_id());
        let env = self.options.env_of_item(&self.env);
        self.spawn(id, call.without_arguments(), &env, MapJob::New(Box::new(function), unstarted))
    }

    fn spawn(&self, id: RunId, call: Call, env: &RunEnvironment, job: MapJob) -> Backend {
        let stager = self.staging.as_ref().map(|staging| &staging.stager);
        let (sender, items, ends) = items::queue(&self.options, &self.recorder, stager);
        let run = self.submitter.spawn_items(id, call, env, job, items);
        Backend::Runner(Box::new(ItemRun { items: Some(sender), ends, run, ended: None }))
    }

    /// Records that the next item fails without having run.
    fn reject(&mut self, function: &str, error: Error) {
        self.recorder.reject(self.recorder.index(self.started), function, &error);
        self.plan(|| NewItem::Rejected(one_line(&error)));
        self.window.start(0);
        let result = Err(error);
        self.commit(self.started, &result);
        self.rejected.push_back(ItemEnd { index: self.started, arguments: 0, result });
        self.started += 1;
    }
}

impl Backend {
    fn has_room(&self) -> bool {
        match self {
            Self::Separate(runs) => runs.has_room(),
            Self::Unstarted | Self::Runner(_) | Self::Over => true,
        }
    }
}

impl ItemRun {
    fn send(&self, index: u64, function: Arc<ItemFunction>, arguments: Bytes, seed: Option<u64>) {
        if let Some(items) = &self.items {
            items.send(index, function, arguments, seed);
        }
    }

    fn poll_end(
        &mut self,
        context: &mut Context<'_>,
        is_idle: bool,
    ) -> Poll<Option<Result<ItemEnd>>> {
        if let Poll::Ready(Some(end)) = self.ends.poll_recv(context) {
            return Poll::Ready(Some(Ok(end)));
        }
        if self.ended.is_none() {
            self.ended = Some(ready!(self.run.poll_ended(context)).map(drop));
        }
        // Items that have ended before the run.
        if let Ok(end) = self.ends.try_recv() {
            return Poll::Ready(Some(Ok(end)));
        }
        Poll::Ready(match self.ended.replace(Ok(())) {
            Some(Err(error)) => Some(Err(error)),
            _ if is_idle => None,
            _ => Some(Err(Error::lost(self.run.id(), "the runner has ended before its items"))),
        })
    }
}
