//! Authentication and authorization.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;
use test_storage_server::{Operation, Settings, StorageServer};

use crate::client::{request, status};

const METADATA: &str = "GET /computeMetadata/v1/instance/service-accounts/default/token";

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn settings() -> Settings {
    Settings::new().with_bucket("b").with_bucket("other")
}

async fn status_with(server: &StorageServer, line: &str, token: &str) -> u16 {
    status(server, line, &[("authorization", &format!("Bearer {token}"))]).await
}

/// Requests a token from the metadata server.
async fn token(server: &StorageServer) -> String {
    let (head, body) = request(server, METADATA, &[("metadata-flavor", "Google")], b"").await;
    assert_eq!((head.status, head.header("metadata-flavor")), (200, "Google"));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["token_type"], "Bearer");
    body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn server_without_credentials_is_open() {
    let server = StorageServer::start(&settings()).unwrap();
    assert_eq!(status(&server, "PUT /b/name", &[]).await, 200);
    assert_eq!(status_with(&server, "PUT /b/name", "").await, 200);
}

#[tokio::test]
async fn token_is_limited_to_its_buckets() {
    let settings = settings().with_token("mine", &["b"]).with_token("yours", &["other"]);
    let server = StorageServer::start(&settings).unwrap();
    assert_eq!(status_with(&server, "PUT /b/name", "mine").await, 200);
    assert_eq!(status_with(&server, "GET /other?list-type=2", "yours").await, 200);
    for line in ["GET /b/name", "PUT /b/new", "DELETE /b/name", "GET /b?list-type=2"] {
        assert_eq!(status(&server, line, &[]).await, 401, "{line}");
        assert_eq!(status_with(&server, line, "").await, 401, "{line}");
        assert_eq!(status_with(&server, line, "nobody's").await, 401, "{line}");
        assert_eq!(status_with(&server, line, "yours").await, 403, "{line}");
    }
    assert_eq!(status_with(&server, "GET /none/name", "mine").await, 404);
    assert_eq!(Vec::from_iter(server.names("b")), ["name"]);

    let copy = [("authorization", "Bearer yours"), ("x-goog-copy-source", "b/name")];
    assert_eq!(status(&server, "PUT /other/stolen", &copy).await, 403);
}

#[tokio::test]
async fn metadata_server_issues_tokens() {
    let server = StorageServer::start(&settings().with_service_account(&["b"])).unwrap();
    assert_eq!(status(&server, METADATA, &[]).await, 403);
    assert_eq!(server.count(Operation::MetadataToken, "*"), 1);
    let token = token(&server).await;
    assert_eq!(status_with(&server, "PUT /b/name", &token).await, 200);
    assert_eq!(status_with(&server, "PUT /other/name", &token).await, 403);
    server.revoke_tokens();
    assert_eq!(status_with(&server, "PUT /b/name", &token).await, 401);
    assert_eq!(status_with(&server, "PUT /b/name", &self::token(&server).await).await, 200);
}

#[tokio::test]
async fn tokens_expire() {
    let settings = settings().with_service_account(&["b"]).with_token_lifetime(Duration::ZERO);
    let server = StorageServer::start(&settings).unwrap();
    let token = token(&server).await;
    assert_eq!(status_with(&server, "PUT /b/name", &token).await, 401);
}

/// Signs a JSON Web Token of these claims with the key of the server's service account.
fn signed(server: &StorageServer, claims: &serde_json::Value) -> String {
    let file: serde_json::Value = serde_json::from_str(&server.service_account()).unwrap();
    let pem = file["private_key"].as_str().unwrap();
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    let key = BASE64_STANDARD.decode(lines.collect::<String>()).unwrap();
    let key = RsaKeyPair::from_pkcs8(&key).unwrap();
    let header = json!({ "alg": "RS256", "typ": "JWT" });
    let encode = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(&header), encode(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    key.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// Returns valid claims for a token of `server`.
fn claims(server: &StorageServer) -> serde_json::Value {
    let file: serde_json::Value = serde_json::from_str(&server.service_account()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({
        "iss": file["client_email"],
        "aud": file["token_uri"],
        "scope": "https://www.googleapis.com/auth/devstorage.read_write",
        "iat": now,
        "exp": now + 3600,
    })
}

/// Replaces one of the claims.
fn with(
    mut claims: serde_json::Value,
    name: &str,
    value: impl Into<serde_json::Value>,
) -> serde_json::Value {
    claims[name] = value.into();
    claims
}

async fn exchange(
    server: &StorageServer,
    grant: &str,
    assertion: &str,
) -> (u16, serde_json::Value) {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", grant)
        .append_pair("assertion", assertion)
        .finish();
    let (head, body) = request(server, "POST /token", &[], form.as_bytes()).await;
    (head.status, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn service_account_exchanges_assertion_for_token() {
    let settings =
        settings().with_service_account(&["b"]).with_token_lifetime(Duration::from_secs(77));
    let server = StorageServer::start(&settings).unwrap();
    let claims = claims(&server);
    let (status, body) = exchange(&server, GRANT, &signed(&server, &claims)).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!(77)));
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(status_with(&server, "PUT /b/name", token).await, 200);
    assert_eq!(status_with(&server, "PUT /other/name", token).await, 403);

    let seconds = |name: &str| claims[name].as_u64().unwrap();
    let good = signed(&server, &claims);
    // Valid claims with the signature of others.
    let (message, signature) = good.rsplit_once('.').unwrap();
    let forged = signed(&server, &with(claims.clone(), "exp", seconds("exp") - 1));
    let forged = format!("{}.{signature}", forged.rsplit_once('.').unwrap().0);
    for (grant, assertion, error) in [
        (GRANT, forged, "invalid_grant"),
        (GRANT, message.to_owned(), "invalid_grant"),
        (
            GRANT,
            signed(&server, &with(claims.clone(), "aud", "https://elsewhere/token")),
            "invalid_grant",
        ),
        (GRANT, signed(&server, &with(claims.clone(), "iss", "somebody@else")), "invalid_grant"),
        (GRANT, signed(&server, &with(claims.clone(), "exp", seconds("iat"))), "invalid_grant"),
        (GRANT, signed(&server, &with(claims.clone(), "exp", seconds("exp") + 1)), "invalid_grant"),
        (
            GRANT,
            signed(&server, &with(claims.clone(), "iat", seconds("iat") + 600)),
            "invalid_grant",
        ),
        ("refresh_token", good.clone(), "unsupported_grant_type"),
    ] {
        let (status, body) = exchange(&server, grant, &assertion).await;
        assert_eq!((status, &body["error"]), (400, &json!(error)), "{assertion}");
    }
    assert_eq!(server.count(Operation::Token, "*"), 9);
}

#[tokio::test]
async fn self_signed_token_is_accepted() {
    let server = StorageServer::start(&settings().with_service_account(&["b"])).unwrap();
    let claims = claims(&server);
    let put = async |claims: &serde_json::Value| {
        status_with(&server, "PUT /b/name", &signed(&server, claims)).await
    };
    assert_eq!(put(&claims).await, 200);
    let unscoped = with(claims.clone(), "scope", serde_json::Value::Null);
    assert_eq!(put(&unscoped).await, 401);
    assert_eq!(put(&with(unscoped, "aud", "https://storage.googleapis.com/")).await, 200);
    assert_eq!(put(&with(claims.clone(), "exp", claims["iat"].clone())).await, 401);
    assert_eq!(put(&with(claims, "iss", "somebody@else")).await, 401);
}
