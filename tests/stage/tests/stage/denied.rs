//! Permanent errors fail without retries, with a hint at the fix.

use std::error::Error;

use hype_stage::{Source, Stage, StageError, StageErrorKind, StageOptions};
use hype_wire::{Blob, names};
use test_stage::backends::{BUCKET, gcs_server, gcs_stage};
use test_stage::bytes::some;
use test_stage::s3::S3Server;
use test_storage_server::{Fault, Operation, Refusal, Rule, Settings, StorageServer};

/// Returns the report of an error: message, causes and hint.
fn report(error: &StageError) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let causes: String = causes.map(|cause| format!("\n  {cause}")).collect();
    let hint = error.advice().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("{error}{causes}{hint}")
}

#[tokio::test]
async fn denied_request_names_the_permission() {
    let server = gcs_server();
    let stage = gcs_stage(&server).unwrap();
    for operation in [Operation::Read, Operation::Head, Operation::Write, Operation::List] {
        server.inject(Rule::new(operation, "*", Fault::Refuse(Refusal::new(403))));
    }
    let name = names::manifest("run-1");
    let error = stage.put(&name, some(10, 1)).await.unwrap_err();
    assert_eq!(
        report(&error),
        "not allowed to write gs://bucket/some/prefix/runs/run-1/manifest\n\
         \x20 403 Forbidden: AccessDenied: Forbidden\n\
         hint: it takes storage.objects.create and storage.objects.delete, which the role \
         roles/storage.objectUser on the bucket grants"
    );
    assert_eq!(error.kind(), StageErrorKind::Denied);
    let error = stage.get(&name, 1000).await.unwrap_err();
    assert!(report(&error).contains("hint: it takes storage.objects.get and storage.objects.list"));
    let error = stage.remove_run("run-1").await.unwrap_err();
    assert!(
        report(&error).contains("hint: it takes storage.objects.list and storage.objects.delete")
    );
    let blob = Blob::of(b"bytes");
    let error = stage.put_blob(&blob, &Source::bytes("bytes")).await.unwrap_err();
    assert!(error.to_string().starts_with("not allowed to look for gs://"), "{error}");
    assert_eq!(server.requests().len(), 4, "denied requests are not retried");
}

#[tokio::test]
async fn missing_bucket_names_the_fix() {
    let server = gcs_server();
    let options = StageOptions::new().with_variables([("STORAGE_EMULATOR_HOST", server.url())]);
    let stage = Stage::open_with("gs://absent/prefix", &options).unwrap();
    let blob = Blob::of(b"bytes");
    let error = stage.put_blob(&blob, &Source::bytes("bytes")).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Location);
    assert_eq!(
        report(&error),
        format!(
            "the bucket of gs://absent/prefix/blobs/{} does not exist\n\
             \x20 404 Not Found: NoSuchBucket: The specified bucket does not exist.\n\
             hint: create it with `gcloud storage buckets create gs://BUCKET`",
            blob.digest
        )
    );
    let error = stage.remove_run("run-1").await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Location, "{error}");
}

#[tokio::test]
async fn rejected_token_names_the_fix() {
    let settings = Settings::new().with_bucket(BUCKET).with_token("right", &[BUCKET]);
    let server = StorageServer::start(&settings).unwrap();
    let variables = [("GOOGLE_BASE_URL", server.url()), ("GOOGLE_BEARER_TOKEN", "wrong".into())];
    let options = StageOptions::new().with_variables(variables);
    let stage = Stage::open_with(&format!("gs://{BUCKET}"), &options).unwrap();
    let error = stage.get("runs/run-1/manifest", 1000).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Denied);
    let text = report(&error);
    assert!(text.starts_with("not authenticated for gs://bucket/runs/run-1/manifest\n  401"));
    assert!(text.contains("hint: run `gcloud auth application-default login`, or name"), "{text}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn wrong_clock_names_the_fix() {
    let server = gcs_server();
    let stage = gcs_stage(&server).unwrap();
    let body = "<?xml version='1.0'?><Error><Code>RequestTimeTooSkewed</Code><Message>The \
                difference between the request time and the server's time is too large.</Message>\
                </Error>";
    let refusal = Refusal::new(403).with_body(body);
    server.inject(Rule::new(Operation::Read, "*", Fault::Refuse(refusal)));
    let error = stage.get("runs/run-1/manifest", 1000).await.unwrap_err();
    assert_eq!(
        report(&error),
        "not authenticated for gs://bucket/some/prefix/runs/run-1/manifest\n\
         \x20 403 Forbidden: RequestTimeTooSkewed: The difference between the request time and the \
         server's time is too large.\n\
         hint: this machine's clock is wrong, and stores reject requests from another time: set it, \
         e.g. with `timedatectl set-ntp true`"
    );
}

#[tokio::test]
async fn s3_errors_name_the_fix() {
    let server = S3Server::start(BUCKET).unwrap();
    let mut variables = server.variables();
    let open = |bucket: &str, variables: &[(String, String)]| {
        let options = StageOptions::new().with_variables(variables.to_vec());
        Stage::open_with(&format!("s3://{bucket}"), &options).unwrap()
    };
    // This server creates a missing bucket on a write, so only a list fails.
    let error = open("absent", &variables).remove_run("run-1").await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Location, "{}", report(&error));
    assert!(report(&error).ends_with("hint: create it with `aws s3 mb s3://BUCKET`"));

    for (name, value) in &mut variables {
        if name == "AWS_SECRET_ACCESS_KEY" {
            *value = "another".to_owned();
        }
    }
    let stage = open(BUCKET, &variables);
    let error = stage.put("runs/run-1/manifest", some(10, 1)).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Denied, "{}", report(&error));
    assert!(report(&error).contains("SignatureDoesNotMatch"), "{}", report(&error));
    assert!(report(&error).contains("hint: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"));
}
