//! Google's application default credentials.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use hype_stage::{Source, Stage, StageErrorKind, StageOptions};
use hype_wire::Blob;
use test_stage::backends::BUCKET;
use test_stage::bytes::some;
use test_storage_server::{Settings, StorageServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn open(variables: &[(&str, &str)]) -> Stage {
    let options = StageOptions::new().with_variables(variables.iter().copied());
    Stage::open_with(&format!("gs://{BUCKET}/prefix"), &options).unwrap()
}

async fn assert_works(stage: &Stage) {
    let (blob, source) = (Blob::of(&some(1000, 1)), Source::bytes(some(1000, 1)));
    stage.put_blob(&blob, &source).await.unwrap();
    assert_eq!(stage.get_blob(&blob).await.unwrap(), some(1000, 1));
}

fn account_server() -> StorageServer {
    let settings = Settings::new().with_bucket(BUCKET).with_service_account(&[BUCKET]);
    StorageServer::start(&settings).unwrap()
}

fn write(directory: &Path, name: &str, content: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn service_account_key_is_found() {
    let server = account_server();
    let directory = tempfile::tempdir().unwrap();
    let key = write(directory.path(), "key.json", &server.service_account());
    assert_works(&open(&[("GOOGLE_APPLICATION_CREDENTIALS", &key)])).await;

    let home = directory.path().join("home");
    let gcloud = home.join(".config/gcloud");
    std::fs::create_dir_all(&gcloud).unwrap();
    write(&gcloud, "application_default_credentials.json", &server.service_account());
    assert_works(&open(&[("HOME", home.to_str().unwrap())])).await;
    assert_works(&open(&[("CLOUDSDK_CONFIG", gcloud.to_str().unwrap())])).await;
}

/// Starts a server that exchanges tokens, like Google's token service and impersonation. Returns its URL.
async fn exchange(response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 64 << 10];
            // These requests arrive in one piece.
            assert!(connection.read(&mut request).await.unwrap() > 0);
            let size = response.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                 content-length: {size}\r\nconnection: close\r\n\r\n"
            );
            connection.write_all((head + response).as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}")
}

async fn federation(directory: &Path, response: &'static str) -> String {
    let subject = write(directory, "subject", "the token of another identity provider");
    let token_service = exchange(response).await;
    format!(
        r#"{{"type": "external_account", "audience": "//iam.googleapis.com/projects/1",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "{token_service}/v1/token",
            "credential_source": {{"file": "{subject}"}}}}"#
    )
}

const FEDERATED: &str = r#"{"access_token": "federated", "expires_in": 3600,
    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer"}"#;

#[tokio::test]
async fn federated_token_is_accepted() {
    let settings = Settings::new().with_bucket(BUCKET).with_token("federated", &[BUCKET]);
    let server = StorageServer::start(&settings).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = federation(directory.path(), FEDERATED).await;
    let file = write(directory.path(), "external.json", &file);
    let variables =
        [("GOOGLE_BASE_URL", &*server.url()), ("GOOGLE_APPLICATION_CREDENTIALS", &file)];
    assert_works(&open(&variables)).await;
}

#[tokio::test]
async fn impersonated_account_is_accepted() {
    let settings = Settings::new().with_bucket(BUCKET).with_token("impersonated", &[BUCKET]);
    let server = StorageServer::start(&settings).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let source = federation(directory.path(), FEDERATED).await;
    let response = r#"{"accessToken": "impersonated", "expireTime": "2999-01-01T00:00:00Z"}"#;
    let impersonation = exchange(response).await;
    let file = format!(
        r#"{{"type": "impersonated_service_account", "source_credentials": {source},
            "service_account_impersonation_url":
                "{impersonation}/v1/projects/-/serviceAccounts/a@b:generateAccessToken"}}"#
    );
    let file = write(directory.path(), "impersonated.json", &file);
    let variables =
        [("GOOGLE_BASE_URL", &*server.url()), ("GOOGLE_APPLICATION_CREDENTIALS", &file)];
    assert_works(&open(&variables)).await;
}

#[tokio::test]
async fn failed_federation_is_denied() {
    let server = account_server();
    let directory = tempfile::tempdir().unwrap();
    let file = federation(directory.path(), r#"{"error": "no"}"#).await;
    let file = write(directory.path(), "external.json", &file);
    let variables =
        [("GOOGLE_BASE_URL", &*server.url()), ("GOOGLE_APPLICATION_CREDENTIALS", &file)];
    let error = open(&variables).get("runs/run-1/manifest", 1000).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Denied);
    assert!(error.advice().unwrap().starts_with("run `gcloud auth application-default login`"));
    assert!(server.requests().is_empty());
}

/// Runs an ignored test of this file in a new process with these variables: the client reads the metadata server's
/// address from the variables of the process.
fn run_in_process(test: &str, variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
    text
}

#[test]
fn metadata_server_provides_credentials() {
    let server = account_server();
    let variables = [("GCE_METADATA_HOST", &*server.host()), ("GOOGLE_BASE_URL", &server.url())];
    run_in_process("credentials::machine_credentials_are_accepted", &variables);
}

#[tokio::test]
#[ignore = "needs GCE_METADATA_HOST, which metadata_server_provides_credentials sets"]
async fn machine_credentials_are_accepted() {
    assert_works(&Stage::open(&format!("gs://{BUCKET}/prefix")).unwrap()).await;
}

#[test]
fn missing_credentials_fail_fast() {
    // This server closes every connection. Another test could take a free port meanwhile.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = server.local_addr().unwrap().to_string();
    std::thread::spawn(move || server.incoming().for_each(drop));
    let url = format!("http://{host}");
    let variables =
        [("GCE_METADATA_HOST", &*host), ("GCE_METADATA_IP", &host), ("GOOGLE_BASE_URL", &url)];
    run_in_process("credentials::read_without_credentials_is_denied", &variables);
}

#[tokio::test]
#[ignore = "needs GCE_METADATA_HOST, which missing_credentials_fail_fast sets"]
async fn read_without_credentials_is_denied() {
    let stage = Stage::open(&format!("gs://{BUCKET}/prefix")).unwrap();
    let error = stage.get("runs/run-1/manifest", 1000).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Denied);
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    assert!(causes.iter().any(|cause| cause.starts_with("there are no Google credentials: ")));
    assert!(error.advice().unwrap().starts_with("run `gcloud auth application-default login`"));
}
