//! A service account's key, exchanged for tokens that all of Google's services take. Its storage takes
//! what the key signs as it is; a cluster of GKE's doesn't.

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

/// Where Google gives out tokens, unless the key says otherwise.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// How much time a token must have left, if it ever had as much.
const SPARE: Duration = Duration::from_secs(300);

/// For one exchange.
const REQUEST: Duration = Duration::from_secs(30);

pub(crate) struct GoogleAccount {
    path: String,
    email: String,
    key_id: String,
    token_uri: String,
    key: RsaKeyPair,
    scope: &'static str,
    given: Mutex<Option<Given>>,
}

struct Given {
    token: Arc<str>,
    renewed_from: Instant,
}

impl GoogleAccount {
    /// The account whose key is in the file `path`.
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
            .ok_or_else(|| unusable("have a `private_key` that is none"))?;
        let (email, key_id) = (needed("client_email")?, needed("private_key_id")?);
        Ok(Self { email, key_id, token_uri, key, scope, given: Mutex::default(), path })
    }

    /// A token that works for some minutes, if Google gives out such.
    pub(crate) async fn token(&self) -> Result<Arc<str>, StageError> {
        let mut given = self.given.lock().await;
        if let Some(Given { token, renewed_from }) = &*given
            && Instant::now() < *renewed_from
        {
            return Ok(Arc::clone(token));
        }
        let asked = Instant::now();
        let (token, lifetime) = self.exchange().await?;
        let renewed_from = asked + lifetime.saturating_sub(SPARE);
        *given = Some(Given { token: Arc::clone(&token), renewed_from });
        Ok(token)
    }

    async fn exchange(&self) -> Result<(Arc<str>, Duration), StageError> {
        let failed = |kind, problem: String| {
            let message = format!("the Google credentials {} give no token: {problem}", self.path);
            StageError::new(kind, message)
        };
        let away = |error: reqwest::Error| {
            failed(StageErrorKind::Unavailable, format!("{} is away: {error}", self.token_uri))
        };
        let client = reqwest::Client::builder().timeout(REQUEST).build().map_err(away)?;
        let body = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={}",
            self.assertion()?
        );
        let request = client
            .post(&self.token_uri)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(away)?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(token) = answer["access_token"].as_str() {
            let lifetime = Duration::from_secs(answer["expires_in"].as_u64().unwrap_or_default());
            return Ok((token.into(), lifetime));
        }
        let told = answer["error_description"].as_str().or(answer["error"].as_str());
        let problem = format!("{status}: {}", told.unwrap_or_default());
        Err(match status.as_u16() {
            429 | 500.. => failed(StageErrorKind::Unavailable, problem),
            _ => failed(StageErrorKind::Denied, problem).hint(format!(
                "is the key still one of the account's, and this machine's clock right? gcloud iam \
                 service-accounts keys list --iam-account {} tells its keys",
                self.email
            )),
        })
    }

    /// What says who asks (<https://datatracker.ietf.org/doc/html/rfc7523>).
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
