use std::collections::BTreeMap;
use std::time::Duration;

use crate::account;
use crate::credentials::{Buckets, Credentials};
use crate::store::{Store, Versioning};

/// The buckets and the credentials of a server.
///
/// Without tokens and without a service account, the server needs no authentication. Otherwise each request needs
/// `Authorization: Bearer TOKEN`. Without a valid token the response is 401, and 403 if the token doesn't grant
/// the bucket.
#[derive(Debug, Clone)]
#[must_use]
pub struct Settings {
    buckets: Vec<(String, Versioning)>,
    tokens: BTreeMap<String, Buckets>,
    account: Option<Buckets>,
    lifetime: Duration,
}

impl Settings {
    /// Creates settings without buckets and without authentication.
    pub fn new() -> Self {
        Self {
            buckets: Vec::new(),
            tokens: BTreeMap::new(),
            account: None,
            lifetime: Duration::from_secs(3600),
        }
    }

    /// Adds a bucket without versioning.
    pub fn with_bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push((name.into(), Versioning::Off));
        self
    }

    /// Adds a bucket with versioning, which keeps all generations of its objects.
    pub fn with_versioned_bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push((name.into(), Versioning::On));
        self
    }

    /// Adds a token that grants these buckets.
    pub fn with_token(mut self, token: impl Into<String>, buckets: &[&str]) -> Self {
        self.tokens.insert(token.into(), names(buckets));
        self
    }

    /// Adds a service account that may use these buckets. Clients use the key file of
    /// [`StorageServer::service_account`](crate::StorageServer::service_account), or tokens of the metadata server.
    pub fn with_service_account(mut self, buckets: &[&str]) -> Self {
        self.account = Some(names(buckets));
        self
    }

    /// Sets the lifetime of issued tokens; an hour by default. Tokens with a lifetime of zero are never valid.
    pub fn with_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    pub(crate) fn store(&self) -> Store {
        let mut store = Store::default();
        for (name, versioning) in &self.buckets {
            store.add_bucket(name, *versioning);
        }
        store
    }

    pub(crate) fn credentials(&self, url: &str) -> Credentials {
        let (tokens, account) = (self.tokens.clone(), self.account.clone());
        Credentials::new(account::token_uri(url), tokens, account, self.lifetime)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

fn names(buckets: &[&str]) -> Buckets {
    buckets.iter().map(|bucket| (*bucket).to_owned()).collect()
}
