//! Functions that take each value of a map.

use crate::call::handle::FunctionHandle;
use crate::map::Map;

impl<T> Map<T> {
    /// Lets each value go into another function of the same component, where the items run. The results are those of that
    /// function, in the order of the items. The program gets none of the values in between.
    ///
    /// Both calls of an item have the same index, and each has the limits and retries of an item; a failed item goes into no
    /// other function. In a [deterministic](crate::RunEnvironment::deterministic) environment, each call has its own seed.
    ///
    /// The map must not have been polled, and must not be staged.
    ///
    /// ```no_run
    /// #[hype::function]
    /// fn read(url: String) -> Vec<u8> {
    /// #    url.into_bytes()
    ///     // ..
    /// }
    ///
    /// #[hype::function]
    /// fn shrink(picture: Vec<u8>, width: u32) -> Vec<u8> {
    /// #    let _ = width; picture
    ///     // ..
    /// }
    ///
    /// # fn run(submitter: hype::Submitter, urls: Vec<String>, env: &hype::RunEnvironment) {
    /// let pictures = submitter.map(urls.into_iter().map(read), env).then(shrink::HANDLE.bind_rest((200,)));
    /// # }
    /// # fn main() {}
    /// ```
    pub fn then<U>(mut self, next: FunctionHandle<(T,), U>) -> Map<U> {
        self.engine.add_step(next.open_call(1));
        let Self { engine, stops_at_failure, .. } = self;
        let map = Map::new(engine);
        if stops_at_failure { map.stopping_at_failure() } else { map }
    }
}
