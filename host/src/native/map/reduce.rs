//! Reductions: the values of a map are merged where its items run.

pub(crate) mod tree;

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde::de::DeserializeOwned;

use crate::call::handle::FunctionHandle;
use crate::error::Result;
use crate::map::engine::Engine;
use crate::map::items::{ItemEnd, Returned};
use crate::map::node::{Named, Node};
use crate::map::reduce::tree::Tree;
use crate::map::{Map, Report};

impl<T> Map<T> {
    /// Merges the values of all items into one, by a function of the same component that takes two values and returns one.
    /// The program gets only that one; merges run where items run, while other items still do.
    ///
    /// The merges form a tree whose shape follows from the number of items alone: first the items 0 and 1, 2 and 3, and so
    /// on, then each two neighbours of those. So the result is the same each time, whatever ends first. It is that of a fold
    /// from the first item to the last if `merge` is associative; it need not be commutative. A map without items has no
    /// value. In a [deterministic](crate::RunEnvironment::deterministic) environment, the seed of a merge follows from its
    /// position in the tree.
    ///
    /// The map must not have been polled. A merge counts as an item in the [report](Self::report), with the index of its first
    /// item, and has the limits and retries of an item.
    ///
    /// ```no_run
    /// # use std::collections::BTreeMap;
    /// #[hype::function]
    /// fn count(text: String) -> BTreeMap<String, u64> {
    ///     let mut counts = BTreeMap::new();
    ///     for word in text.split_whitespace() {
    ///         *counts.entry(word.to_owned()).or_default() += 1;
    ///     }
    ///     counts
    /// }
    ///
    /// #[hype::function]
    /// fn add(mut one: BTreeMap<String, u64>, other: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    ///     for (word, n) in other {
    ///         *one.entry(word).or_default() += n;
    ///     }
    ///     one
    /// }
    ///
    /// # async fn run(submitter: hype::Submitter, texts: Vec<String>) -> hype::Result<()> {
    /// let env = hype::RunEnvironment::new();
    /// let counts = submitter.map(texts.into_iter().map(count), &env).reduce(add::HANDLE).await?;
    /// println!("{:?}", counts.unwrap_or_default());
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// A function of other types doesn't compile:
    ///
    /// ```compile_fail,E0308
    /// #[hype::function]
    /// fn length(text: String) -> u64 { text.len() as u64 }
    /// #[hype::function]
    /// fn join(one: String, other: String) -> String { one + &other }
    ///
    /// fn total(lengths: hype::map::Map<u64>) -> hype::map::Reduction<u64> {
    ///     lengths.reduce(join::HANDLE)
    /// }
    /// # fn main() {}
    /// ```
    pub fn reduce(mut self, merge: FunctionHandle<(T, T), T>) -> Reduction<T> {
        self.engine.set_merge(merge.open_call(2));
        Reduction { engine: self.engine, tree: Tree::default(), value: PhantomData }
    }
}

/// The merge of all values of a map. [`Map::reduce`] returns it.
///
/// The merge starts when it is awaited, and ends with the first failure of an item or a merge of two values, which cancels
/// the others. The error has the index of the item, or those of the merged items.
///
/// Only the values that wait for their neighbours are in memory, undecoded: a few for each item that runs concurrently.
///
/// Dropping the reduction cancels the map and removes everything that it created.
///
/// ```no_run
/// async fn longest(names: hype::map::Reduction<String>) -> hype::Result<()> {
///     match names.await? {
///         Some(name) => println!("{name}"),
///         None => println!("there are no names"),
///     }
///     Ok(())
/// }
/// ```
#[must_use = "a reduction does nothing until it is awaited"]
pub struct Reduction<T> {
    engine: Engine,
    tree: Tree<Returned>,
    value: PhantomData<fn() -> T>,
}

impl<T> Reduction<T> {
    /// Returns the report of the items and merges that have ended so far, see [`Map::report`].
    pub fn report(&self) -> Report {
        self.engine.recorder.report()
    }

    /// Stops the map and removes everything that it created, see [`Map::cancel`].
    ///
    /// # Errors
    ///
    /// The errors of [`Map::cancel`].
    pub async fn cancel(self) -> Result<()> {
        self.engine.cancel().await
    }

    fn poll_value(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Returned>>> {
        loop {
            let polled = self.engine.poll_end(context);
            if let Some(error) = self.engine.take_error() {
                return Poll::Ready(Err(error));
            }
            match polled {
                Poll::Ready(Some(end)) => self.insert(end?)?,
                Poll::Ready(None) => return Poll::Ready(Ok(self.tree.take_root())),
                Poll::Pending => {
                    let Some(items) = self.engine.items() else { return Poll::Pending };
                    if !self.tree.has_ended() {
                        for merge in self.tree.end(items) {
                            self.engine.merge(&merge)?;
                        }
                    } else if !self.tree.is_complete() || !self.engine.close() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Adds the value of an item or of a merge.
    fn insert(&mut self, end: ItemEnd) -> Result<()> {
        self.engine.release(end.size());
        let node = Node::of_number(end.index);
        let value = end.result.map_err(|error| error.prefixed(Named(node)))?;
        match self.tree.insert(node, value) {
            Some(merge) => self.engine.merge(&merge),
            None => Ok(()),
        }
    }
}

impl<T: DeserializeOwned + 'static> Future for Reduction<T> {
    type Output = Result<Option<T>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let reduction = self.get_mut();
        let value = ready!(reduction.poll_value(context));
        reduction.engine.stop();
        Poll::Ready(value.and_then(|value| value.map(Returned::decode).transpose()))
    }
}

impl<T> fmt::Debug for Reduction<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reduction({} items started)", self.engine.started())
    }
}
