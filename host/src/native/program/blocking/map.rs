//! Maps with blocking iterators.

use std::time::Duration;

use futures::{Stream, StreamExt};
use serde::de::DeserializeOwned;

use super::{Submitter, wait};
use crate::call::closure::Closure;
use crate::call::handle::FunctionHandle;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::map::{AsTheyEnd, InOrder, ItemOutput, Report};

impl Submitter {
    /// Runs many closures of one component in `env`, and returns an iterator over their results in order. The blocking
    /// form of [`hype::Submitter::map`](crate::Submitter::map).
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn price(order: u32) -> f64 { f64::from(order) }
    /// # fn main() -> hype::Result<()> {
    /// let submitter = hype::blocking::Submitter::ambient()?;
    /// for price in submitter.map((0..10_000).map(price), &hype::RunEnvironment::new()) {
    ///     println!("{}", price?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn map<T: 'static, I>(&self, closures: I, env: &RunEnvironment) -> Map<T>
    where
        I: IntoIterator<Item = Closure<T>>,
        I::IntoIter: Send + 'static,
    {
        Map::new(self.0.map(closures, env))
    }

    /// Runs many closures like [`map`](Self::map). The iterator ends after the first failure, which cancels all other
    /// items.
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn price(order: u32) -> f64 { f64::from(order) }
    /// # fn main() -> hype::Result<()> {
    /// let submitter = hype::blocking::Submitter::ambient()?;
    /// let env = hype::RunEnvironment::new();
    /// let prices: Vec<f64> = submitter.try_map((0..100).map(price), &env).collect::<Result<_, _>>()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_map<T: 'static, I>(&self, closures: I, env: &RunEnvironment) -> Map<T>
    where
        I: IntoIterator<Item = Closure<T>>,
        I::IntoIter: Send + 'static,
    {
        Map::new(self.0.try_map(closures, env))
    }

    /// Attaches to a staged map that this or another process started. The blocking form of
    /// [`hype::Submitter::attach_map`](crate::Submitter::attach_map).
    ///
    /// ```no_run
    /// # fn main() -> hype::Result<()> {
    /// let submitter = hype::blocking::Submitter::ambient()?;
    /// for price in submitter.attach_map::<f64>("hype-run-tizxijbai4") {
    ///     println!("{}", price?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn attach_map<T: 'static>(&self, id: &str) -> Map<T> {
        Map::new(self.0.attach_map(id))
    }

    /// Returns the report of a staged map. The blocking form of
    /// [`hype::Submitter::map_report`](crate::Submitter::map_report).
    ///
    /// ```no_run
    /// # fn main() -> hype::Result<()> {
    /// let submitter = hype::blocking::Submitter::ambient()?;
    /// submitter.map_report("hype-run-tizxijbai4")?.to_html("report.html")
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`hype::Submitter::map_report`](crate::Submitter::map_report), and
    /// [`Input`](crate::ErrorKind::Input) inside a runtime.
    pub fn map_report(&self, id: &str) -> Result<Report> {
        wait(self.0.map_report(id))?
    }
}

/// A [`hype::map::Map`](crate::map::Map) as an iterator, which waits for each result.
///
/// Inside a tokio runtime its only result is an error, since it would block the runtime's thread.
///
/// ```no_run
/// fn total(prices: hype::blocking::Map<f64>) -> hype::Result<f64> {
///     prices.sum()
/// }
/// ```
#[derive(Debug)]
#[must_use = "a map does nothing until its results are taken"]
pub struct Map<T, O = InOrder>(Option<crate::map::Map<T, O>>);

impl<T> Map<T> {
    fn new(map: crate::map::Map<T>) -> Self {
        Self(Some(map))
    }

    /// Returns an iterator over the results in the order in which the items end, each with the index of its item.
    ///
    /// ```no_run
    /// fn print(prices: hype::blocking::Map<f64>) {
    ///     for (index, price) in prices.unordered() {
    ///         println!("{index}: {price:?}");
    ///     }
    /// }
    /// ```
    pub fn unordered(self) -> Unordered<T> {
        Map(self.0.map(crate::map::Map::unordered))
    }

    /// Merges the values of all items into one where the items run, like
    /// [`hype::map::Map::reduce`](crate::map::Map::reduce), and waits for it.
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn price(order: u32) -> f64 { f64::from(order) }
    /// # #[hype::function]
    /// # fn add(one: f64, other: f64) -> f64 { one + other }
    /// # fn main() -> hype::Result<()> {
    /// let submitter = hype::blocking::Submitter::ambient()?;
    /// let prices = submitter.map((0..10_000).map(price), &hype::RunEnvironment::new());
    /// println!("{}", prices.reduce(add::HANDLE)?.unwrap_or_default());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The first failure of an item or a merge, and [`Input`](crate::ErrorKind::Input) inside a runtime.
    pub fn reduce(self, merge: FunctionHandle<(T, T), T>) -> Result<Option<T>>
    where
        T: DeserializeOwned + 'static,
    {
        match self.0 {
            Some(map) => wait(map.reduce(merge))?,
            None => Err(over()),
        }
    }

    /// Lets each value go into another function, like [`hype::map::Map::then`](crate::map::Map::then).
    pub fn then<U>(self, next: FunctionHandle<(T,), U>) -> Map<U> {
        Map(self.0.map(|map| map.then(next)))
    }
}

impl<T, O> Map<T, O> {
    /// Sets the maximum number of items that run concurrently, like
    /// [`hype::map::Map::with_parallelism`](crate::map::Map::with_parallelism).
    pub fn with_parallelism(self, parallelism: usize) -> Self {
        self.change(|map| map.with_parallelism(parallelism))
    }

    /// Sets the maximum number of items that a worker takes at once, like
    /// [`hype::map::Map::with_batch`](crate::map::Map::with_batch).
    pub fn with_batch(self, items: usize) -> Self {
        self.change(|map| map.with_batch(items))
    }

    /// Sets the timeout of each item, like
    /// [`hype::map::Map::with_item_timeout`](crate::map::Map::with_item_timeout).
    pub fn with_item_timeout(self, timeout: Duration) -> Self {
        self.change(|map| map.with_item_timeout(timeout))
    }

    /// Sets the maximum number of retries of an item whose function fails, like
    /// [`hype::map::Map::with_error_retries`](crate::map::Map::with_error_retries).
    pub fn with_error_retries(self, retries: u32) -> Self {
        self.change(|map| map.with_error_retries(retries))
    }

    /// Lets an item that exceeds its memory run again with more, like
    /// [`hype::map::Map::with_memory_retries`](crate::map::Map::with_memory_retries).
    pub fn with_memory_retries(self, max: u64) -> Self {
        self.change(|map| map.with_memory_retries(max))
    }

    /// Stages the map, so that it survives its program, like [`hype::map::Map::staged`](crate::map::Map::staged).
    pub fn staged(self) -> Self {
        self.change(crate::map::Map::staged)
    }

    /// Goes on with the staged map `id`, like [`hype::map::Map::resume`](crate::map::Map::resume).
    pub fn resume(self, id: &str) -> Self {
        self.change(|map| map.resume(id))
    }

    /// Returns the id of a staged or attached map, like [`hype::map::Map::id`](crate::map::Map::id).
    pub fn id(&self) -> Option<&str> {
        self.0.as_ref().and_then(crate::map::Map::id)
    }

    /// Returns the output of an item, like [`hype::map::Map::logs`](crate::map::Map::logs).
    ///
    /// # Errors
    ///
    /// The errors of [`hype::map::Map::logs`](crate::map::Map::logs), and [`Input`](crate::ErrorKind::Input) inside a
    /// runtime.
    pub fn logs(&self, index: u64) -> Result<ItemOutput> {
        match &self.0 {
            Some(map) => wait(map.logs(index))?,
            None => Err(over()),
        }
    }

    /// Ends the map here, and keeps it in the stage, like [`hype::map::Map::detach`](crate::map::Map::detach). Returns
    /// its id.
    ///
    /// # Errors
    ///
    /// The errors of [`hype::map::Map::detach`](crate::map::Map::detach), and [`Input`](crate::ErrorKind::Input) inside
    /// a runtime.
    pub fn detach(self) -> Result<String> {
        match self.0 {
            Some(map) => wait(map.detach())?,
            None => Err(over()),
        }
    }

    fn change(self, change: impl FnOnce(crate::map::Map<T, O>) -> crate::map::Map<T, O>) -> Self {
        Self(self.0.map(change))
    }

    /// Returns the report of the items that have ended so far, like
    /// [`hype::map::Map::report`](crate::map::Map::report). It is empty inside a runtime.
    pub fn report(&self) -> Report {
        self.0.as_ref().map(crate::map::Map::report).unwrap_or_default()
    }

    /// Stops the map and removes everything that it created.
    ///
    /// ```no_run
    /// fn stop(map: hype::blocking::Map<f64>) -> hype::Result<()> {
    ///     map.cancel()
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the first failed removal, and [`Input`](crate::ErrorKind::Input) inside a runtime.
    pub fn cancel(self) -> Result<()> {
        match self.0 {
            Some(map) => wait(map.cancel())?,
            None => Ok(()),
        }
    }
}

impl<T: DeserializeOwned + 'static> Iterator for Map<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        next(&mut self.0, Err)
    }
}

/// A [`hype::map::Unordered`](crate::map::Unordered) as an iterator. [`Map::unordered`] returns it.
///
/// ```no_run
/// fn first(mut prices: hype::blocking::Unordered<f64>) -> Option<(u64, hype::Result<f64>)> {
///     prices.next()
/// }
/// ```
pub type Unordered<T> = Map<T, AsTheyEnd>;

impl<T: DeserializeOwned + 'static> Iterator for Unordered<T> {
    type Item = (u64, Result<T>);

    fn next(&mut self) -> Option<Self::Item> {
        next(&mut self.0, |error| (0, Err(error)))
    }
}

/// Returns the error of a map that was refused.
fn over() -> Error {
    Error::input("the map is over")
}

/// Waits for the next item of `stream`. Inside a runtime it ends the stream with the item that `refuse` returns.
fn next<S: Stream + Unpin>(
    stream: &mut Option<S>,
    refuse: impl FnOnce(Error) -> S::Item,
) -> Option<S::Item> {
    match wait(stream.as_mut()?.next()) {
        Ok(item) => item,
        Err(error) => {
            *stream = None;
            Some(refuse(error))
        }
    }
}
