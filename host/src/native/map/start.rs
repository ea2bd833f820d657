//! Starts of maps.

use futures::{Stream, StreamExt, stream};

use crate::call::closure::Closure;
use crate::environment::RunEnvironment;
use crate::map::Map;
use crate::map::engine::Engine;
use crate::map::staged::input::{Input, Place, staged_input};
use crate::run::submitter::Submitter;

impl Submitter {
    /// Runs many closures of one component in `env`, and returns a stream of their results in order, one per closure.
    ///
    /// On the local runner the component is loaded once, and each item gets its own instance and sandbox, so that
    /// thousands of items run per second. Docker starts a few containers that do the same. Kubernetes starts a Pod for
    /// each item. The limits of `env` apply to each item. If `env` is [deterministic](RunEnvironment::deterministic),
    /// each item has its own seed, which follows from that of `env` and the item's index.
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn price(order: u32) -> f64 { f64::from(order) }
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// use futures::TryStreamExt;
    ///
    /// let env = hype::RunEnvironment::new();
    /// let total: f64 = submitter
    ///     .map((0..10_000).map(price), &env)
    ///     .try_fold(0.0, async |total, price| Ok(total + price))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// Each result has the errors of [`submit`](Self::submit).
    pub fn map<T: 'static, I>(&self, closures: I, env: &RunEnvironment) -> Map<T>
    where
        I: IntoIterator<Item = Closure<T>>,
        I::IntoIter: Send + 'static,
    {
        let closures = closures.into_iter();
        let items = match closures.size_hint() {
            (least, Some(most)) if least == most => Some(least as u64),
            _ => None,
        };
        let map = self.map_stream(stream::iter(closures), env);
        match items {
            Some(items) => map.with_expected_items(items),
            None => map,
        }
    }

    /// Runs the closures of a stream, which may be endless, like [`map`](Self::map).
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn price(order: u32) -> f64 { f64::from(order) }
    /// # async fn run(submitter: hype::Submitter, orders: tokio::sync::mpsc::Receiver<u32>) {
    /// use futures::{StreamExt, stream};
    ///
    /// let orders = stream::unfold(orders, async |mut orders| Some((orders.recv().await?, orders)));
    /// let mut prices = submitter.map_stream(orders.map(price), &hype::RunEnvironment::new());
    /// while let Some(price) = prices.next().await {
    ///     println!("{price:?}");
    /// }
    /// # }
    /// # fn main() {}
    /// ```
    pub fn map_stream<T: 'static, S>(&self, closures: S, env: &RunEnvironment) -> Map<T>
    where
        S: Stream<Item = Closure<T>> + Send + 'static,
    {
        let input = closures.map(|closure| Input::Call(closure.into_call())).boxed();
        Map::new(Engine::new(self.clone(), env.clone(), input))
    }

    /// Runs many closures like [`map`](Self::map). The stream ends after the first failure, which cancels all other items.
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn price(order: u32) -> f64 { f64::from(order) }
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// use futures::TryStreamExt;
    ///
    /// let env = hype::RunEnvironment::new();
    /// let prices: Vec<f64> = submitter.try_map((0..100).map(price), &env).try_collect().await?;
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    pub fn try_map<T: 'static, I>(&self, closures: I, env: &RunEnvironment) -> Map<T>
    where
        I: IntoIterator<Item = Closure<T>>,
        I::IntoIter: Send + 'static,
    {
        self.map(closures, env).stopping_at_failure()
    }

    /// Attaches to a [staged map](Map::staged) that this or another process started; `T` is the type of its values.
    ///
    /// The map returns each index once: the results that are in the stage, and those of the items that are staged and
    /// have none, which run here and are committed to the stage. If the program of the map ended before it had read its
    /// input to the end, the last result is an error of the kind [`Incomplete`](crate::ErrorKind::Incomplete);
    /// [`Map::resume`] goes on with the input.
    ///
    /// While the program of the map runs, the attached map waits for the items that it adds.
    ///
    /// Several programs can attach to one map, also while it runs: each item then runs at most once in each of them, and
    /// one of its results is committed.
    ///
    /// Attaching, and dropping an attached map, removes nothing, so that its results can be read again.
    /// [`Map::cancel`] and [`Submitter::cancel`] remove the map.
    ///
    /// ```no_run
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// use futures::TryStreamExt;
    ///
    /// let prices = submitter.attach_map::<f64>("hype-run-tizxijbai4");
    /// let prices: Vec<f64> = prices.try_collect().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Besides those of [`map`](Self::map): [`Input`](crate::ErrorKind::Input) if there is no such map, or if this user
    /// has no key of it, [`Stage`](crate::ErrorKind::Stage) if another process wrote or altered an object of it.
    pub fn attach_map<T: 'static>(&self, id: &str) -> Map<T> {
        let input = staged_input(self.place_of_map(id), None);
        let mut engine = Engine::new(self.clone(), RunEnvironment::new(), input);
        engine.attach(id);
        Map::new(engine)
    }

    /// Returns the place of the staged map `id`.
    pub(crate) fn place_of_map(&self, id: &str) -> Place {
        let (stage, lease_term) = (self.stage().clone(), self.dispatcher().lease_term);
        Place { stage, id: id.to_owned(), lease_term }
    }
}
