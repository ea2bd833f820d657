//! The methods of a map that is staged.

use crate::error::Result;
use crate::map::Map;
use crate::map::staged::item_output::ItemOutput;

impl<T, O> Map<T, O> {
    /// Stages the map, so that it survives its program: items are written to the stage as they are read from the input,
    /// and results as the items end. Another program can then [attach](crate::Submitter::attach_map) to it by its
    /// [id](Self::id), after this one ended for whatever reason. It must be called before the map is polled.
    ///
    /// A staged map that is dropped, cancelled or read to its end is removed from the stage; one that is
    /// [detached](Self::detach), whose program is killed, or which can't be written any more, is not. The keys by which other programs verify the plan
    /// and the results are in private files of this user, so that only this user can attach, on this machine.
    ///
    /// ```no_run
    /// # async fn run(prices: hype::map::Map<f64>) -> hype::Result<()> {
    /// use futures::StreamExt;
    ///
    /// let mut prices = prices.staged();
    /// println!("the map is {:?}", prices.id());
    /// while let Some(price) = prices.next().await {
    ///     println!("{}", price?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn staged(mut self) -> Self {
        self.engine.stage();
        self
    }

    /// Goes on with the [staged](Self::staged) map `id`, whose program ended before it had read all of its input. The
    /// input must have the same closures as that of the map `id`: those that are staged are skipped, the others are added
    /// to the map. All items have the environment, the timeout and the retries of the map `id`. It must be called before the
    /// map is polled.
    ///
    /// The results are those of the whole map, as for [`attach_map`](crate::Submitter::attach_map).
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn price(order: u32) -> f64 { f64::from(order) }
    /// # async fn run(submitter: hype::Submitter) {
    /// let env = hype::RunEnvironment::new();
    /// let prices = submitter.map((0..10_000).map(price), &env).resume("hype-run-tizxijbai4");
    /// # }
    /// # fn main() {}
    /// ```
    pub fn resume(mut self, id: &str) -> Self {
        self.engine.resume(id);
        self
    }

    /// Returns the id of a staged or attached map.
    ///
    /// ```no_run
    /// fn is_staged(map: &hype::map::Map<f64>) -> bool {
    ///     map.id().is_some()
    /// }
    /// ```
    pub fn id(&self) -> Option<&str> {
        self.engine.id()
    }

    /// Returns the output of an item of a [staged](Self::staged) or attached map. It is available when the items of its
    /// chunk have ended: up to 64 consecutive items.
    ///
    /// ```no_run
    /// # async fn show(map: &hype::map::Map<f64>) -> hype::Result<()> {
    /// println!("{}", String::from_utf8_lossy(&map.logs(17).await?.stdout));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if the map isn't staged, or if the output is not available yet or any more.
    pub fn logs(&self, index: u64) -> impl Future<Output = Result<ItemOutput>> + Send + use<T, O> {
        self.engine.logs(index)
    }

    /// Ends the map here, and keeps it in the stage for [`attach_map`](crate::Submitter::attach_map): all items that were
    /// read from the input, and the results of all chunks of items that have ended. Returns the map's id.
    ///
    /// ```no_run
    /// async fn leave(map: hype::map::Map<f64>) -> hype::Result<String> {
    ///     map.detach().await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if the map isn't [staged](Self::staged), has not started or is over, and
    /// [`Stage`](crate::ErrorKind::Stage) if it can't be written.
    pub async fn detach(self) -> Result<String> {
        self.engine.detach().await
    }
}
