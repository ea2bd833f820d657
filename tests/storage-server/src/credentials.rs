//! Authentication and authorization: tokens and the buckets that they grant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde_json::json;

use crate::account::{self, Claims};
use crate::content::Content;
use crate::problem::Problem;
use crate::reply::Reply;

/// The header by which clients and metadata servers identify the protocol.
const FLAVOR: (&str, &str) = ("Metadata-Flavor", "Google");

/// Names of buckets.
pub(crate) type Buckets = BTreeSet<String>;

/// The service account and the valid tokens.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The URL of the token endpoint.
    audience: String,
    /// The buckets that each token grants.
    tokens: BTreeMap<String, Buckets>,
    /// The buckets of the service account, if there is one.
    account: Option<Buckets>,
    lifetime: Duration,
    issued: Mutex<Issued>,
}

/// The issued tokens, each with its expiry.
#[derive(Debug, Default)]
struct Issued {
    count: u64,
    ends: BTreeMap<String, Instant>,
}

/// The permissions of a request's token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bearer<'a> {
    Everything,
    Only(&'a Buckets),
}

impl Bearer<'_> {
    pub(crate) fn may_use(&self, bucket: &str) -> Result<(), Problem> {
        match self {
            Self::Only(buckets) if !buckets.contains(bucket) => Err(Problem::AccessDenied),
            _ => Ok(()),
        }
    }
}

impl Credentials {
    pub(crate) fn new(
        audience: String,
        tokens: BTreeMap<String, Buckets>,
        account: Option<Buckets>,
        lifetime: Duration,
    ) -> Self {
        Self { audience, tokens, account, lifetime, issued: Mutex::default() }
    }

    /// Returns the permissions of the token in `headers`.
    pub(crate) fn bearer(&self, headers: &HeaderMap) -> Result<Bearer<'_>, Problem> {
        if self.tokens.is_empty() && self.account.is_none() {
            return Ok(Bearer::Everything);
        }
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        let token = token.ok_or(Problem::AuthenticationRequired)?;
        let buckets = match &self.account {
            Some(account) if self.is_of_account(token) => Some(account),
            _ => self.tokens.get(token),
        };
        buckets.map(Bearer::Only).ok_or(Problem::AuthenticationRequired)
    }

    /// Exchanges the assertion in the form `content` for a token.
    pub(crate) fn exchange(&self, content: &Content) -> Reply {
        let form = content.to_bytes();
        let form: BTreeMap<_, _> = form_urlencoded::parse(&form).collect();
        let refused = |error: &str, description: &str| {
            let body = json!({ "error": error, "error_description": description });
            Reply::json(StatusCode::BAD_REQUEST, &body)
        };
        if form.get("grant_type").is_none_or(|grant| *grant != account::GRANT) {
            return refused("unsupported_grant_type", "Invalid grant_type");
        }
        let claims = form.get("assertion").and_then(|assertion| account::verified(assertion));
        match claims {
            Some(claims) if claims.is_for(&self.audience) => self.issue(),
            Some(_) => refused("invalid_grant", "Invalid JWT: wrong audience, issuer or time."),
            None => refused("invalid_grant", "Invalid JWT Signature."),
        }
    }

    /// Issues a token as the metadata server.
    pub(crate) fn metadata(&self, headers: &HeaderMap) -> Reply {
        if headers.get(FLAVOR.0).is_none_or(|flavor| flavor != FLAVOR.1) {
            return Problem::AccessDenied.into();
        }
        let mut reply = self.issue();
        reply.headers.insert("metadata-flavor", HeaderValue::from_static(FLAVOR.1));
        reply
    }

    /// Revokes all issued tokens.
    pub(crate) fn revoke(&self) {
        self.issued(|issued| issued.ends.clear());
    }

    fn issue(&self) -> Reply {
        let token = self.issued(|issued| {
            issued.count += 1;
            let token = format!("issued-{}", issued.count);
            issued.ends.insert(token.clone(), Instant::now() + self.lifetime);
            token
        });
        let expires_in = self.lifetime.as_secs();
        let body =
            json!({ "access_token": token, "expires_in": expires_in, "token_type": "Bearer" });
        Reply::json(StatusCode::OK, &body)
    }

    /// Returns whether a token was issued to the service account or is self-signed by it.
    fn is_of_account(&self, token: &str) -> bool {
        let end = self.issued(|issued| issued.ends.get(token).copied());
        end.is_some_and(|end| Instant::now() < end)
            || account::verified(token).as_ref().is_some_and(Claims::is_access)
    }

    fn issued<T>(&self, with: impl FnOnce(&mut Issued) -> T) -> T {
        with(&mut self.issued.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
