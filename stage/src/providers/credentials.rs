//! Credentials that a server near the machine gives, and what to say where there is none.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use object_store::CredentialProvider;

/// Credentials of last resort: without them no request can be made, so that asking for longer than
/// their own time doesn't help.
pub(super) struct LastResort<C> {
    inner: Arc<dyn CredentialProvider<Credential = C>>,
    nobody: &'static str,
}

impl<C: 'static> LastResort<C> {
    /// The credentials that `inner` gives; where it doesn't, `nobody` says that nobody else does.
    pub(super) fn new(
        inner: Arc<dyn CredentialProvider<Credential = C>>,
        nobody: &'static str,
    ) -> Arc<Self> {
        Arc::new(Self { inner, nobody })
    }
}

/// The error of a request for which there are no credentials.
#[derive(Debug)]
pub(super) struct NoCredentials {
    nobody: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl NoCredentials {
    /// The error of a request for which there are no credentials.
    pub(super) fn error(
        nobody: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> object_store::Error {
        let source = Box::new(Self { nobody: nobody.into(), source: source.into() });
        object_store::Error::Unauthenticated { path: String::new(), source }
    }
}

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.nobody)
    }
}

impl std::error::Error for NoCredentials {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

impl<C> fmt::Debug for LastResort<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastResort")
    }
}

impl<C: Send + Sync + 'static> CredentialProvider for LastResort<C> {
    type Credential = C;

    fn get_credential<'a, 'b>(&'a self) -> BoxFuture<'b, object_store::Result<Arc<C>>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let given = self.inner.get_credential().await;
            given.map_err(|source| NoCredentials::error(self.nobody, source))
        })
    }
}
