//! The engine's part for staged maps: it plans items, and takes those of a staged plan.

use std::task::{Context, Poll, ready};

use futures::StreamExt;
use futures::future::BoxFuture;
use hype_wire::Digest;

use super::{Backend, Engine};
use crate::call::closure::Call;
use crate::call::component::ComponentFunction;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::map::driver::MapJob;
use crate::map::items::{ItemEnd, Returned, staged_end};
use crate::map::staged::commits::NewResult;
use crate::map::staged::input::{Ended, Input, staged_input};
use crate::map::staged::item_output::{self, ItemOutput};
use crate::map::staged::open::{self, OpenedMap};
use crate::map::staged::plan::NewItem;
use crate::map::staged::record::StagedRecord;
use crate::map::staged::stager::{self, Stager, Unstarted};
use crate::names::new_run_id;

/// The staging of a map.
pub(super) struct Staging {
    pub(super) id: String,
    pub(super) stager: Stager,
    /// `None` once the map has started.
    pub(super) unstarted: Option<Unstarted>,
    /// Whether closures of the program are added to the plan.
    pub(super) is_planning: bool,
    /// Whether another program may have staged the map, so that it remains in the stage.
    pub(super) is_attached: bool,
    /// The digest of the component in the staged job.
    pub(super) component: Option<Digest>,
    /// The staged map until its first item runs. Results are read without its job.
    pub(super) opened: Option<Box<OpenedMap>>,
    /// The last write before the map is over.
    pub(super) flush: Option<BoxFuture<'static, ()>>,
}

impl Engine {
    /// Stages the map, under a new id, unless it is staged.
    pub(crate) fn stage(&mut self) {
        if self.staging.is_some() {
            return;
        }
        if self.has_steps() {
            return self.refuse("a map whose values go into another function cannot be staged");
        }
        match self.has_started() {
            true => self.refuse("a map that has started cannot be staged"),
            false => self.set_staging(&new_run_id(), false),
        }
    }

    pub(super) fn has_started(&self) -> bool {
        self.started > 0 || !matches!(self.backend, Backend::Unstarted)
    }

    /// Ends the map with an error.
    fn refuse(&mut self, problem: &str) {
        let error = Error::input(problem).hint("stage or resume a new map before it is polled");
        self.input = Some(futures::stream::iter([Input::Failed(error)]).boxed());
    }

    /// Marks the map as one that is staged already.
    pub(crate) fn attach(&mut self, id: &str) {
        self.set_staging(id, true);
    }

    /// Goes on with the staged map `id`, whose items are the first ones of the input.
    pub(crate) fn resume(&mut self, id: &str) {
        if self.staging.as_ref().is_some_and(|staging| staging.is_attached) {
            return self.refuse("an attached map has no closures with which to resume a map");
        }
        if self.has_started() {
            return self.refuse("a map that has started cannot resume another one");
        }
        if self.has_steps() {
            return self.refuse("a map whose values go into another function cannot be staged");
        }
        let calls = async |input| match input {
            Input::Call(call) => Some(call),
            // Only an attached map has others, which is refused above.
            _ => None,
        };
        let rest = self.input.take().map(|input| input.filter_map(calls).boxed());
        self.input = Some(staged_input(self.submitter.place_of_map(id), rest));
        self.set_staging(id, true);
    }

    fn set_staging(&mut self, id: &str, is_attached: bool) {
        let (stager, unstarted) = stager::channel();
        self.staging = Some(Staging {
            id: id.to_owned(),
            stager,
            unstarted: Some(unstarted),
            is_planning: !is_attached,
            is_attached,
            component: None,
            opened: None,
            flush: None,
        });
    }

    /// Lets the map be detached when it is dropped before its end.
    pub(crate) fn detach_on_drop(&self) {
        if let Some(staging) = &self.staging {
            staging.stager.detach_on_drop(true);
        }
    }

    /// Returns whether the map is detached when it is dropped.
    pub(crate) fn is_detached_on_drop(&self) -> bool {
        self.staging.as_ref().is_some_and(|staging| staging.stager.is_detached_on_drop())
    }

    /// Lets the map be removed when it is dropped.
    pub(super) fn release_staging(&self) {
        if let Some(staging) = &self.staging {
            staging.stager.detach_on_drop(false);
        }
    }

    /// Returns the id of a staged map.
    pub(crate) fn id(&self) -> Option<&str> {
        self.staging.as_ref().map(|staging| staging.id.as_str())
    }

    /// Writes what was read and what has ended, and ends the map without removing it from the stage.
    pub(crate) async fn detach(mut self) -> Result<String> {
        let Some(staging) = self.staging.take() else {
            return Err(Error::input("a map that is not staged cannot be detached")
                .hint("stage it before its first result is read: Map::staged"));
        };
        if !matches!(self.backend, Backend::Runner(_)) && !staging.is_attached {
            return Err(Error::input("a map cannot be detached before it starts or after its end")
                .hint("a map starts when its first result is read"));
        }
        // Otherwise nothing of an attached map runs here.
        if let Backend::Runner(_) = &self.backend {
            staging.stager.detach().await?;
        }
        Ok(staging.id)
    }

    /// Returns the output of an item of a staged map, once its chunk is committed.
    pub(crate) fn logs(
        &self,
        index: u64,
    ) -> impl Future<Output = Result<ItemOutput>> + Send + use<> {
        let staging = self.staging.as_ref().map(|it| (it.id.clone(), it.stager.clone()));
        let is_running = matches!(self.backend, Backend::Runner(_));
        let stage = self.submitter.stage().clone();
        async move {
            let Some((id, stager)) = staging else {
                return Err(Error::input("a map that is not staged keeps no output of items")
                    .hint("stage it: Map::staged"));
            };
            if is_running {
                stager.flush().await;
            }
            let (reader, _) = open::reader(&stage, &id).await?;
            item_output::find(&reader, index).await
        }
    }

    /// Waits until all results of an attached map are in the stage. The owner of a map removes it now.
    pub(super) fn poll_flushed(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if let (Backend::Runner(_), Some(staging)) = (&self.backend, &mut self.staging)
            && staging.is_attached
        {
            ready!(staging.stager.poll_flushed(&mut staging.flush, context));
            return Poll::Ready(staging.stager.poll_room(context).map(drop));
        }
        Poll::Ready(Ok(()))
    }

    /// Records that the input has no more items.
    pub(super) fn end_input(&mut self) {
        self.input = None;
        if let Some(staging) = self.staging.as_ref().filter(|staging| staging.is_planning) {
            staging.stager.end_plan();
        }
    }

    pub(super) fn start_input(&mut self, input: Input) {
        match input {
            Input::Call(call) => self.start_item(call),
            Input::Opened(opened) => {
                self.recorder.continue_map(opened.started_unix_us);
                let component = &opened.manifest.job.component;
                if let Err(error) = self.find_staged_following(component) {
                    self.error = Some(error);
                    self.input = None;
                    return;
                }
                // New items and merges have the job of the staged items, also those that are made before any of them runs.
                self.env = match opened.manifest.job.seed {
                    Some(seed) => RunEnvironment::new().deterministic(seed),
                    None => RunEnvironment::new(),
                };
                if let Some(staging) = &mut self.staging {
                    staging.component = Some(opened.manifest.job.component.blob.digest);
                    staging.opened = Some(opened);
                }
            }
            Input::Chunk(chunk) => {
                self.open_backend();
                if let Some(staging) = &self.staging {
                    staging.stager.expect(chunk);
                }
            }
            Input::Item { function, arguments, seed } => {
                self.show_progress(&function.name);
                if let Backend::Runner(run) = &self.backend {
                    self.window.start(arguments.len() as u64);
                    run.send(self.started, function, arguments, seed);
                    self.started += 1;
                }
            }
            Input::Ended(ended) => self.end_item(*ended),
            Input::Continue(planner) => {
                self.open_backend();
                if let Some(staging) = &mut self.staging {
                    staging.is_planning = true;
                    staging.stager.resume(*planner);
                }
            }
            Input::Failed(error) => {
                self.error = Some(error);
                self.input = None;
            }
        }
    }

    /// Returns an item that must not run.
    fn end_item(&mut self, ended: Ended) {
        let Ended { function, result, committed } = ended;
        let index = self.started;
        match committed {
            Some(StagedRecord { program, record }) => {
                self.recorder.add(&function, program, record);
            }
            None => {
                self.commit(index, &result);
                let mut trace = self.recorder.queue(index, &function, 0);
                trace.end(result.as_ref().map(|returned| returned.bytes.len() as u64));
            }
        }
        self.window.start(0);
        self.rejected.push_back(ItemEnd { index, arguments: 0, result });
        self.started += 1;
    }

    /// Commits the result of an item that did not run.
    pub(super) fn commit(&self, index: u64, result: &Result<Returned>) {
        if let Some(staging) = &self.staging {
            let (attempts, statistics, output) = Default::default();
            let (end, times) = (staged_end(result), self.recorder.moment());
            let result = NewResult { end, attempts, statistics, times, output };
            staging.stager.end(index, result);
        }
    }

    /// Adds an item to the plan of a staged map.
    pub(super) fn plan(&self, item: impl FnOnce() -> NewItem) {
        if let Some(staging) = &self.staging {
            staging.stager.plan(item());
        }
    }

    /// Rejects what a staged map can't do, and functions of another component than that of its staged items.
    pub(super) fn check_component(&self, function: &ComponentFunction) -> Result<()> {
        let Some(staging) = &self.staging else { return Ok(()) };
        if let Some(volume) = self.env.transient_volume() {
            let problem =
                format!("a map on the transient volume {} cannot be staged", volume.name());
            return Err(Error::input(problem)
                .because("the volume is removed when its submitter closes, while the map needs it")
                .hint("use VolumeRequest::persistent"));
        }
        self.check_runner(&self.env)?;
        let component = function.component();
        match staging.component {
            Some(staged) if staged != component.digest() => {
                let (id, name) = (&staging.id, component.name());
                Err(Error::input(format!(
                    "the map {id} calls another build of {name}, or another component"
                ))
                .hint("resume it with the component that it was started with, or start a new map"))
            }
            _ => Ok(()),
        }
    }

    fn check_runner(&self, env: &RunEnvironment) -> Result<()> {
        let problem = format!("maps {} cannot be staged", self.submitter.location());
        match self.submitter.runner().items() {
            Some(runner) if !runner.can_share_process(env) => Err(Error::input(problem)
                .because("the environment grants commands, so that each item is a run")
                .hint("use Submitter::local(), or an environment without commands")),
            Some(runner) if runner.can_run_staged_items() => Ok(()),
            _ => Err(Error::input(problem)
                .because("another program could not run their items in the same environment")
                .hint("use Submitter::local() or Submitter::docker() for a staged map")),
        }
    }

    /// Starts to run the items of a staged map, unless they run already.
    pub(super) fn open_backend(&mut self) {
        let Some(staging) = &mut self.staging else { return };
        let Some(opened) = staging.opened.take() else { return };
        let Some(unstarted) = staging.unstarted.take() else { return };
        if let Err(error) = self.check_runner(&opened.env) {
            self.error = Some(error);
            self.input = None;
            return;
        }
        self.options.retries = opened.retries.clone();
        let env = opened.env.clone();
        let job = MapJob::Staged(opened, unstarted);
        self.backend = self.spawn(new_run_id(), Call::unknown(), &env, job);
    }
}
