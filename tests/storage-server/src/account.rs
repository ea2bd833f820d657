//! The one service account: its key, and what is signed with it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde::Deserialize;

/// How a service account asks for a token (RFC 7523).
pub(crate) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Whose key it is.
const EMAIL: &str = "tests@hype.iam.gserviceaccount.com";

/// A key that was made for this server and opens nothing else.
const KEY: &str = include_str!("service_account.pem");

/// What a token that somebody signed says, in seconds since 1970.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: Option<String>,
    scope: Option<String>,
    iat: u64,
    exp: u64,
}

impl Claims {
    /// Whether it asks this token endpoint for a token, now.
    pub(crate) fn is_for(&self, audience: &str) -> bool {
        self.is_current() && self.aud.as_deref() == Some(audience) && self.scope.is_some()
    }

    /// Whether it can stand in place of a token, now (<https://google.aip.dev/auth/4111>).
    pub(crate) fn is_access(&self) -> bool {
        let is_for_storage =
            self.aud.as_deref().is_some_and(|aud| aud == "https://storage.googleapis.com/");
        self.is_current() && (self.scope.is_some() || is_for_storage)
    }

    fn is_current(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // Google takes clocks that are a little fast, and no token for more than an hour.
        let hour = self.exp.saturating_sub(self.iat) <= 3600;
        self.iss == EMAIL && self.iat <= now + 60 && now < self.exp && hour
    }
}

/// The account as the file in which Google gives one out, for the server at `url`.
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

/// Where the server at `url` gives out tokens.
pub(crate) fn token_uri(url: &str) -> String {
    format!("{url}/token")
}

/// What a JSON Web Token says, if the account signed it.
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
