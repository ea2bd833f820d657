//! Credentials of the machine's metadata server, and the error if there is none.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use object_store::CredentialProvider;

/// Credentials of last resort. An error of `inner` is final, so that requests are not retried without
/// credentials.
pub(super) struct MachineCredentials<C> {
    inner: Arc<dyn CredentialProvider<Credential = C>>,
    missing: &'static str,
}

impl<C: 'static> MachineCredentials<C> {
    /// Wraps `inner`. If it fails, requests fail with the message `missing`.
    pub(super) fn new(
        inner: Arc<dyn CredentialProvider<Credential = C>>,
        missing: &'static str,
    ) -> Arc<Self> {
        Arc::new(Self { inner, missing })
    }
}

/// The error of a request without credentials.
#[derive(Debug)]
pub(super) struct NoCredentials {
    message: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl NoCredentials {
    /// Returns the object store's error of a request without credentials.
    pub(super) fn error(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> object_store::Error {
        let source = Box::new(Self { message: message.into(), source: source.into() });
        object_store::Error::Unauthenticated { path: String::new(), source }
    }
}

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NoCredentials {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

impl<C> fmt::Debug for MachineCredentials<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MachineCredentials")
    }
}

impl<C: Send + Sync + 'static> CredentialProvider for MachineCredentials<C> {
    type Credential = C;

    fn get_credential<'a, 'b>(&'a self) -> BoxFuture<'b, object_store::Result<Arc<C>>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let credential = self.inner.get_credential().await;
            credential.map_err(|source| NoCredentials::error(self.missing, source))
        })
    }
}
