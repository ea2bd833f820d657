//! Resolves host names to IP addresses.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

/// Resolves the host names in HTTP requests of guests.
///
/// # Examples
///
/// ```
/// use std::{future, io, net::IpAddr, net::Ipv4Addr, pin::Pin};
///
/// use hype_run::{Executor, Resolver};
///
/// /// Resolves every name to this machine.
/// struct Loopback;
///
/// impl Resolver for Loopback {
///     fn addresses(
///         &self,
///         _name: String,
///     ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
///         Box::pin(future::ready(Ok(vec![Ipv4Addr::LOCALHOST.into()])))
///     }
/// }
///
/// let executor = Executor::new().with_resolver(Loopback);
/// ```
pub trait Resolver: Send + Sync + 'static {
    /// Returns the addresses of the host `name`, in the order in which connections are attempted.
    ///
    /// # Errors
    ///
    /// When the name cannot be resolved. The guest's request then fails with a DNS error.
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

impl fmt::Debug for dyn Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// The maximum number of concurrent lookups of a guest. Each may block a thread for as long as a server doesn't answer.
const LOOKUPS: usize = 4;

/// Bounds the concurrent lookups of one guest. Others wait.
pub(super) struct BoundedResolver {
    inner: Arc<dyn Resolver>,
    permits: Arc<Semaphore>,
}

impl BoundedResolver {
    pub(super) fn new(inner: Arc<dyn Resolver>) -> Self {
        Self { inner, permits: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl Resolver for BoundedResolver {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let (inner, permits) = (Arc::clone(&self.inner), Arc::clone(&self.permits));
        Box::pin(async move {
            // The semaphore is never closed.
            let permit = permits.acquire_owned().await;
            // A lookup that has begun keeps its permit, even if the guest drops the request: its thread stays blocked.
            let lookup = tokio::spawn(async move {
                let _permit = permit;
                inner.addresses(name).await
            });
            lookup.await.map_err(io::Error::other)?
        })
    }
}

/// The resolver of the operating system.
pub(crate) struct SystemResolver;

impl Resolver for SystemResolver {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts lookups that never end.
    #[derive(Default)]
    struct Silent(Arc<AtomicUsize>);

    impl Resolver for Silent {
        fn addresses(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test]
    async fn dropped_lookup_keeps_its_permit() {
        let silent = Silent::default();
        let begun = Arc::clone(&silent.0);
        let resolver = BoundedResolver::new(Arc::new(silent));
        for _ in 0..5 * LOOKUPS {
            let lookup = tokio::spawn(resolver.addresses("a.example".to_owned()));
            // Runs the other tasks of this thread until they wait.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            lookup.abort();
            assert!(lookup.await.is_err());
        }
        assert_eq!(begun.load(Ordering::Relaxed), LOOKUPS);
    }
}
