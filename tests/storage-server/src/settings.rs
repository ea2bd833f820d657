use std::collections::BTreeMap;
use std::time::Duration;

use crate::account;
use crate::credentials::{Buckets, Credentials};
use crate::store::{Store, Versioning};

/// What a server has, and who may use it.
///
/// Without tokens and a service account everybody may use everything. With any of them each request
/// needs one, in `Authorization: Bearer TOKEN`: without it is answered with 401, and with 403 if it
/// isn't for that bucket.
#[derive(Debug, Clone)]
#[must_use]
pub struct Settings {
    buckets: Vec<(String, Versioning)>,
    tokens: BTreeMap<String, Buckets>,
    account: Option<Buckets>,
    lifetime: Duration,
}

impl Settings {
    /// No bucket, open to everybody.
    pub fn new() -> Self {
        Self {
            buckets: Vec::new(),
            tokens: BTreeMap::new(),
            account: None,
            lifetime: Duration::from_secs(3600),
        }
    }

    /// A bucket that forgets what is overwritten or deleted.
    pub fn with_bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push((name.into(), Versioning::Off));
        self
    }

    /// A bucket that keeps each generation of its objects.
    pub fn with_versioned_bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push((name.into(), Versioning::On));
        self
    }

    /// A token with which these buckets can be used.
    pub fn with_token(mut self, token: impl Into<String>, buckets: &[&str]) -> Self {
        self.tokens.insert(token.into(), names(buckets));
        self
    }

    /// A service account that may use these buckets: by what
    /// [`StorageServer::service_account`](crate::StorageServer::service_account) gives, and by the
    /// tokens of the metadata server.
    pub fn with_service_account(mut self, buckets: &[&str]) -> Self {
        self.account = Some(names(buckets));
        self
    }

    /// How long the tokens work that the server gives out; an hour unless it is said. Zero gives
    /// tokens that never work.
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
