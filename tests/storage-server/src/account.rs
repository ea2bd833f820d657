//! The service account: its key, and the verification of its signatures.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde::Deserialize;

/// The grant type of a service account's token exchange (RFC 7523).
pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The service account's address.
const EMAIL: &str = "tests@hype.iam.gserviceaccount.com";

/// The service account's key, which is valid for this server only.
const KEY: &str = include_str!("service_account.pem");

/// The claims of a signed token. Times are in seconds since 1970.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: Option<String>,
    scope: Option<String>,
    iat: u64,
    exp: u64,
}

impl Claims {
    /// Returns whether the claims are valid for an exchange at this token endpoint.
    pub(crate) fn is_for(&self, audience: &str) -> bool {
        self.is_current() && self.aud.as_deref() == Some(audience) && self.scope.is_some()
    }

    /// Returns whether the claims are valid for a self-signed access token (<https://google.aip.dev/auth/4111>).
    pub(crate) fn is_access(&self) -> bool {
        let is_for_storage =
            self.aud.as_deref().is_some_and(|aud| aud == "https://storage.googleapis.com/");
        self.is_current() && (self.scope.is_some() || is_for_storage)
    }

    fn is_current(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // Google accepts clocks that are slightly fast, and lifetimes of at most an hour.
        let is_short = self.exp.saturating_sub(self.iat) <= 3600;
        self.iss == EMAIL && self.iat <= now + 60 && now < self.exp && is_short
    }
}

/// Returns the account's key file for the server at `url`.
pub(crate) fn file(url: &str) -> String {
    serde_json::json!({
        "type": "service_account",
        "project_id": "hype",
        "private_key_id": "tests",
        "private_key": KEY,
        "client_email": EMAIL,
        "token_uri": token_uri(url),
        "gcs_base_url": url,
    })
    .to_string()
}

/// Returns the token endpoint of the server at `url`.
pub(crate) fn token_uri(url: &str) -> String {
    format!("{url}/token")
}

/// Returns the claims of a JSON Web Token if the account signed it.
pub(crate) fn verified(token: &str) -> Option<Claims> {
    let (message, signature) = token.rsplit_once('.')?;
    let (_header, claims) = message.split_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    let key = key()?;
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key());
    public.verify(message.as_bytes(), &signature).ok()?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

fn key() -> Option<RsaKeyPair> {
    let lines = KEY.lines().filter(|line| !line.starts_with("-----"));
    let der = BASE64_STANDARD.decode(lines.collect::<String>()).ok()?;
    RsaKeyPair::from_pkcs8(&der).ok()
}
