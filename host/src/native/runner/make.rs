//! Requests that make something on a server, which is removed again.

use tokio::sync::oneshot;

use crate::cleanup::owned::Owned;
use crate::error::{Error, Result};

/// The answer to `request`. What it makes is removed by the future of `removal` with what its owner has, where it
/// is shown under the name beside it.
///
/// A request may be carried out though nobody waits for its answer any more. So it is made in a task of its own,
/// and who removes what it makes waits for that first.
pub(crate) async fn make<T: Send + 'static>(
    request: impl Future<Output = T> + Send + 'static,
    removal: Option<(&Owned, String, impl Future<Output = Result<()>> + Send + 'static)>,
) -> Result<T> {
    let (making, made) = oneshot::channel::<()>();
    if let Some((owned, what, removal)) = removal {
        owned.enter(what, async move {
            // Closed once the server has answered.
            let _ = made.await;
            removal.await
        });
    }
    let task = tokio::spawn(async move {
        let _making = making;
        request.await
    });
    task.await.map_err(|error| Error::runner("a request broke down", error))
}
