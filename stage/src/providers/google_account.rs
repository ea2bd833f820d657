//! Exchanges the key of a service account for access tokens, which all of Google's services accept. Google's
//! storage also accepts self-signed tokens; GKE clusters don't.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::client;
use crate::error::{StageError, StageErrorKind};

/// The default token endpoint.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// The remaining lifetime at which a token is renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// The timeout of a token exchange.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct GoogleAccount {
    path: String,
    email: String,
    key_id: String,
    token_uri: String,
    key: RsaKeyPair,
    scope: &'static str,
    cached: Mutex<Option<CachedToken>>,
}

struct CachedToken {
    token: Arc<str>,
    renew_at: Instant,
}

impl GoogleAccount {
    /// Reads the account's key from the file `path`.
    pub(crate) fn read(path: String, scope: &'static str) -> Result<Self, StageError> {
        let unusable = |problem: &str| {
            let message = format!("the Google credentials {path} {problem}");
            StageError::new(StageErrorKind::Denied, message)
                .hint("is it the key of a service account, in JSON, as Google gives it out?")
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| unusable(&format!("cannot be read: {error}")))?;
        let content: Value = serde_json::from_str(&text).map_err(|_| unusable("are not JSON"))?;
        let field = |name: &str| content[name].as_str().filter(|it| !it.is_empty());
        let needed = |name: &str| {
            field(name).map(str::to_owned).ok_or_else(|| unusable(&format!("have no `{name}`")))
        };
        let token_uri = field("token_uri").unwrap_or(TOKEN_URI).to_owned();
        client::check_endpoint(&path, "token_uri", &token_uri)?;
        let key = rsa_key(&needed("private_key")?)
            .ok_or_else(|| unusable("have an invalid `private_key`"))?;
        let (email, key_id) = (needed("client_email")?, needed("private_key_id")?);
        Ok(Self { email, key_id, token_uri, key, scope, cached: Mutex::default(), path })
    }

    /// Returns the cached token, or a new one if it expires within 5 minutes.
    pub(crate) async fn token(&self) -> Result<Arc<str>, StageError> {
        let mut cached = self.cached.lock().await;
        if let Some(CachedToken { token, renew_at }) = &*cached
            && Instant::now() < *renew_at
        {
            return Ok(Arc::clone(token));
        }
        let requested_at = Instant::now();
        let (token, lifetime) = self.exchange().await?;
        let renew_at = requested_at + lifetime.saturating_sub(RENEW_BEFORE);
        *cached = Some(CachedToken { token: Arc::clone(&token), renew_at });
        Ok(token)
    }

    async fn exchange(&self) -> Result<(Arc<str>, Duration), StageError> {
        let failed = |kind, problem: String| {
            let message = format!("the Google credentials {} give no token: {problem}", self.path);
            StageError::new(kind, message)
        };
        let unreachable = |error: reqwest::Error| {
            let problem = format!("{} is unreachable: {error}", self.token_uri);
            failed(StageErrorKind::Unavailable, problem)
        };
        let client =
            reqwest::Client::builder().timeout(EXCHANGE_TIMEOUT).build().map_err(unreachable)?;
        let body = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={}",
            self.assertion()?
        );
        let request = client
            .post(&self.token_uri)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(token) = body["access_token"].as_str() {
            let lifetime = Duration::from_secs(body["expires_in"].as_u64().unwrap_or_default());
            return Ok((token.into(), lifetime));
        }
        let description = body["error_description"].as_str().or(body["error"].as_str());
        let problem = format!("{status}: {}", description.unwrap_or_default());
        Err(match status.as_u16() {
            429 | 500.. => failed(StageErrorKind::Unavailable, problem),
            _ => failed(StageErrorKind::Denied, problem).hint(format!(
                "check that the key is valid (gcloud iam service-accounts keys list --iam-account {}) \
                 and that this machine's clock is right",
                self.email
            )),
        })
    }

    /// Signs the assertion that authenticates the exchange (<https://datatracker.ietf.org/doc/html/rfc7523>).
    fn assertion(&self) -> Result<String, StageError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({"iss": self.email, "scope": self.scope, "aud": self.token_uri,
            "iat": now, "exp": now + 3600});
        let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        let signed = self.key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message.as_bytes(),
            &mut signature,
        );
        signed.map_err(|_| {
            let message = format!("the key in {} cannot sign", self.path);
            StageError::new(StageErrorKind::Denied, message)
        })?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn rsa_key(pem: &str) -> Option<RsaKeyPair> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let der = STANDARD.decode(lines.collect::<String>()).ok()?;
    RsaKeyPair::from_pkcs8(&der).ok()
}
