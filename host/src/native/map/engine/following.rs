//! The engine's part for calls whose first arguments are values of the map: the next steps of its items, and merges.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use hype_wire::{ComponentRef, item_seed};

use super::{Backend, Engine};
use crate::call::closure::Call;
use crate::call::handle::OpenCall;
use crate::error::{Error, Result};
use crate::map::calls::check_following;
use crate::map::items::{ItemEnd, ItemFunction, Returned};
use crate::map::node::Node;
use crate::map::reduce::tree::Merge;
use crate::map::staged::input::Input;
use crate::map::window::Window;

/// The functions that take values of the map, and their calls.
#[derive(Default)]
pub(super) struct Following {
    /// The steps of each item after its own function, in order.
    steps: Vec<NextFunction>,
    /// The function that merges values. The map goes on until it is [closed](Engine::close).
    merge: Option<NextFunction>,
    /// The calls that wait for room.
    ready: VecDeque<NextCall>,
    is_closed: bool,
}

/// A function that takes values of the map.
struct NextFunction {
    open: OpenCall,
    /// The function in the component of the map, once that is known.
    found: Option<Arc<ItemFunction>>,
}

/// A call of a function that takes values of the map.
struct NextCall {
    number: u64,
    function: Arc<ItemFunction>,
    call: Call,
    arguments: Bytes,
    seed: Option<u64>,
}

impl NextFunction {
    fn new(open: OpenCall) -> Self {
        Self { open, found: None }
    }
}

impl Following {
    /// Returns whether calls may follow, while items run or not.
    pub(super) fn is_open(&self, is_idle: bool) -> bool {
        let is_merging = self.merge.is_some() && !self.is_closed;
        !self.ready.is_empty() || is_merging || (!self.steps.is_empty() && !is_idle)
    }

    /// Returns whether the map has to wait although no item runs.
    pub(super) fn awaits_calls(&self) -> bool {
        self.is_open(true)
    }

    /// Returns the number of calls of a map with this many items.
    pub(super) fn calls(&self, items: u64) -> u64 {
        let merges = if self.merge.is_some() { items.saturating_sub(1) } else { 0 };
        items.saturating_mul(self.steps.len() as u64 + 1).saturating_add(merges)
    }

    fn functions(&mut self) -> impl Iterator<Item = (usize, &mut NextFunction)> {
        self.steps.iter_mut().chain(&mut self.merge).enumerate().map(|(index, it)| (index + 1, it))
    }
}

impl Engine {
    /// Adds a function that takes the value of each item. It must be called before the map starts.
    pub(crate) fn add_step(&mut self, open: OpenCall) {
        if self.has_started() {
            return self.refuse_started();
        }
        if self.staging.is_some() {
            return self.refuse_following(
                "the values of a staged map cannot be arguments of another function",
                "reduce it, or map its results",
            );
        }
        self.following.steps.push(NextFunction::new(open));
    }

    /// Sets the function that merges values.
    pub(crate) fn set_merge(&mut self, open: OpenCall) {
        if self.has_started() {
            return self.refuse_started();
        }
        self.following.merge = Some(NextFunction::new(open));
    }

    /// Ends the map with an error, and stops its items: their values are not those that the program expects.
    fn refuse_started(&mut self) {
        self.stop();
        (self.backend, self.window) = (Backend::Unstarted, Window::default());
        (self.staging, self.following) = (None, Following::default());
        self.refuse_following(
            "the values of a map that has started cannot be arguments of another function",
            "chain or reduce a new map before it is polled",
        );
    }

    /// Ends the map with an error.
    fn refuse_following(&mut self, problem: &str, hint: &str) {
        let error = Error::input(problem).hint(hint);
        self.input = Some(futures::stream::iter([Input::Failed(error)]).boxed());
    }

    /// Returns whether the values of the map's items are arguments of other functions.
    pub(super) fn has_steps(&self) -> bool {
        !self.following.steps.is_empty()
    }

    /// Finds the functions that take values in the component of the first item.
    pub(super) fn find_following(&mut self) -> Result<()> {
        for (step, next) in self.following.functions() {
            if next.found.is_none() {
                next.found = Some(self.functions.find_following(&next.open, step)?);
            }
        }
        Ok(())
    }

    /// Finds the functions that take values in the component of a staged map.
    pub(super) fn find_staged_following(&mut self, component: &ComponentRef) -> Result<()> {
        for (_, next) in self.following.functions() {
            let found = next.open.component_function()?;
            check_following(&next.open, &found, &component.name, &component.blob.digest)?;
        }
        self.find_following()
    }

    /// Lets the value of an item go into its next step. Returns the end of an item without one.
    pub(super) fn follow(&mut self, end: ItemEnd) -> Option<ItemEnd> {
        let returned = match &end.result {
            Ok(returned) if !Node::of_number(end.index).is_merge() => returned,
            _ => return Some(end),
        };
        let step = returned.function.step;
        let Some(next) = self.following.steps.get(step) else { return Some(end) };
        let seed = self.seed_of(end.index, step as u64 + 1);
        self.window.release(end.size());
        match NextCall::new(next, end.index, &[&returned.bytes], seed) {
            Ok(call) => self.following.ready.push_back(call),
            Err(error) => {
                let result = Err(error);
                self.window.start(0);
                return Some(self.record(ItemEnd { index: end.index, arguments: 0, result }));
            }
        }
        None
    }

    /// Merges two values.
    pub(crate) fn merge(&mut self, merge: &Merge<Returned>) -> Result<()> {
        let Merge { node, left, right } = merge;
        let seed = self.seed_of(node.number(), 0);
        if let Some(next) = &self.following.merge {
            let call = NextCall::new(next, node.number(), &[&left.bytes, &right.bytes], seed)?;
            self.following.ready.push_back(call);
        }
        Ok(())
    }

    /// Returns the seed of a step of a call, whose own function is the step 0.
    fn seed_of(&self, number: u64, step: u64) -> Option<u64> {
        let seed = item_seed(self.env.seed()?, number);
        Some(if step == 0 { seed } else { item_seed(seed, step) })
    }

    /// Starts the calls that wait, while there is room.
    pub(super) fn start_following(&mut self) {
        while self.backend.has_room()
            && let Some(next) = self.following.ready.pop_front()
        {
            // No item of a staged map may have run here.
            self.open_backend();
            let NextCall { number, function, call, arguments, seed } = next;
            self.window.start(arguments.len() as u64);
            match &mut self.backend {
                Backend::Runner(run) => run.send(number, function, arguments, seed),
                Backend::Separate(runs) => {
                    let env = self.options.env_of_item(&self.env);
                    let env = seed.map_or(env.clone(), |seed| env.deterministic(seed));
                    let call = call.with_arguments(arguments);
                    runs.start(&self.submitter, number, function, call, &env);
                }
                Backend::Unstarted | Backend::Over => {}
            }
        }
    }

    /// Returns the number of items, once the input has ended.
    pub(crate) fn items(&self) -> Option<u64> {
        (self.input.is_none() && self.error.is_none()).then_some(self.started)
    }

    /// Lets the map end once no call runs. Returns whether it could not end before.
    pub(crate) fn close(&mut self) -> bool {
        !std::mem::replace(&mut self.following.is_closed, true)
    }

    /// Takes the error with which the map ends, without waiting for the items that run.
    pub(crate) fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }
}

impl NextCall {
    fn new(next: &NextFunction, number: u64, values: &[&[u8]], seed: Option<u64>) -> Result<Self> {
        let Some(function) = next.found.clone() else {
            // Values come from items, whose component is known.
            return Err(Error::input(format!("`{}` is not known yet", next.open.function())));
        };
        let (call, arguments) = (next.open.call(), next.open.arguments(values)?);
        Ok(Self { number, function, call, arguments, seed })
    }
}
