//! From a host's name to its addresses.

use std::fmt;
use std::io;
use std::net::IpAddr;

use futures::future::BoxFuture;

/// Who knows the addresses of hosts.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of the host called `name`, those to be tried first at the beginning.
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

impl fmt::Debug for dyn Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// The system's.
pub(crate) struct SystemResolver;

impl Resolver for SystemResolver {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
