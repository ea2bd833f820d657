//! Requests that create a server-side resource, with cleanup that is safe against cancellation.

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::cleanup::list::CleanupList;
use crate::error::{Error, Result};

/// Returns the response to `request`, which creates a resource. `removal` is the cleanup list, the resource's name for
/// messages, and the future that removes the resource.
///
/// A server may carry out a request whose client was cancelled. So the request runs in its own task, and the removal
/// waits for the response first: a resource that is created late does not leak.
pub(crate) async fn create_resource<T: Send + 'static>(
    request: BoxFuture<'static, T>,
    removal: Option<(&CleanupList, String, BoxFuture<'static, Result<()>>)>,
) -> Result<T> {
    let (response_sender, response) = oneshot::channel::<()>();
    if let Some((cleanup, label, removal)) = removal {
        cleanup.register(label, async move {
            // Closed when the server has responded.
            let _ = response.await;
            removal.await
        });
    }
    let task = tokio::spawn(async move {
        let _response_sender = response_sender;
        request.await
    });
    task.await.map_err(|error| Error::runner("a request broke down", error))
}
