//! Transient faults are retried, and persistent faults are reported.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use hype_stage::{Created, Source, Stage, StageErrorKind, StageOptions};
use hype_wire::{Blob, names};
use test_stage::backends::{BUCKET, gcs_server, gcs_stage};
use test_stage::bytes::{assert_same, some};
use test_storage_server::{Fault, Operation, Refusal, Rule, StorageServer};

const LARGE: usize = (8 << 20) + 12_345;

/// Opens a stage with this retry time.
fn stage_with_retry_for(server: &StorageServer, time: Duration) -> Stage {
    let variables = [("STORAGE_EMULATOR_HOST", server.host())];
    let options = StageOptions::new().with_variables(variables).with_retry_for(time);
    Stage::open_with(&format!("gs://{BUCKET}/some/prefix"), &options).unwrap()
}

async fn put(stage: &Stage, size: usize, seed: u64) -> Blob {
    let bytes = some(size, seed);
    let (blob, source) = (Blob::of(&bytes), Source::bytes(bytes));
    stage.put_blob(&blob, &source).await.unwrap();
    blob
}

#[tokio::test]
async fn transfers_survive_frequent_faults() {
    let server = gcs_server();
    let stage = gcs_stage(&server).unwrap();
    for (percent, seed, fault) in [
        (4, 1, Fault::Refuse(Refusal::new(503))),
        (4, 2, Fault::Refuse(Refusal::new(429).with_retry_after(1))),
        (4, 3, Fault::RefuseAfterServing(Refusal::new(500))),
        (4, 4, Fault::Reset),
        (4, 5, Fault::ResetAfterServing),
    ] {
        server.inject(Rule::new(None, "*", fault).sometimes(percent, seed));
    }
    for fault in [Fault::CutBody { after: 100 }, Fault::ResetBody { after: 5000 }] {
        server.inject(Rule::new(Operation::Read, "*", fault).sometimes(10, 6));
    }

    let size = |seed: u64| if seed.is_multiple_of(50) { LARGE } else { 1000 * seed as usize };
    let blobs: Vec<Blob> =
        stream::iter(0..200).map(|seed| put(&stage, size(seed), seed)).buffered(16).collect().await;
    let downloads = stream::iter(&blobs).map(|blob| stage.get_blob(blob)).buffered(16);
    let downloads: Vec<_> = downloads.try_collect().await.unwrap();
    for (seed, bytes) in (0..).zip(&downloads) {
        assert_same(bytes, &some(size(seed), seed));
    }
    for seed in 0..50 {
        let outcome = names::outcome(&format!("run-{seed}"));
        assert_eq!(stage.create(&outcome, some(100, seed)).await.unwrap(), Created::New);
    }

    let requests = server.requests();
    let failed = requests.iter().filter(|request| request.status.is_none_or(|it| it >= 429));
    assert!(failed.count() * 8 > requests.len(), "too few faults to prove anything");
}

#[tokio::test]
async fn truncated_body_is_retried() {
    for size in [1000, LARGE] {
        for fault in [Fault::CutBody { after: 10 }, Fault::ResetBody { after: 10 }] {
            let server = gcs_server();
            let stage = gcs_stage(&server).unwrap();
            let blob = put(&stage, size, 1).await;
            server.inject(Rule::new(Operation::Read, "*", fault).first(2));
            assert_same(&stage.get_blob(&blob).await.unwrap(), &some(size, 1));
            assert!(server.count(Operation::Read, "*") > 2);
        }
    }
}

#[tokio::test]
async fn truncated_list_is_retried() {
    let server = gcs_server();
    let stage = gcs_stage(&server).unwrap();
    stage.put(&names::manifest("run-1"), some(10, 1)).await.unwrap();
    server.inject(Rule::new(Operation::List, "*", Fault::CutBody { after: 50 }).first(2));
    stage.remove_run("run-1").await.unwrap();
    assert!(server.names(BUCKET).is_empty());
    assert_eq!(server.count(Operation::List, "*"), 3);
}

#[tokio::test]
async fn altered_body_is_rejected() {
    for (size, at) in [(1000, 0), (LARGE, 5000)] {
        let server = gcs_server();
        let stage = gcs_stage(&server).unwrap();
        let blob = put(&stage, size, 1).await;
        server.inject(Rule::new(Operation::Read, "*", Fault::AlterBody { at }).nth(1));
        let error = stage.get_blob(&blob).await.unwrap_err();
        assert_eq!(error.kind(), StageErrorKind::Altered);
        assert!(error.to_string().contains(" was altered: its digest is "), "{error}");
    }
}

#[tokio::test]
async fn persistent_fault_is_unavailable() {
    let server = gcs_server();
    let stage = stage_with_retry_for(&server, Duration::from_millis(400));
    for fault in [Fault::Refuse(Refusal::new(503)), Fault::Reset, Fault::CutBody { after: 10 }] {
        server.clear_faults();
        let blob = put(&stage, 1000, 1).await;
        let before = server.count(Operation::Read, "*");
        server.inject(Rule::new(Operation::Read, "*", fault));
        let error = stage.get_blob(&blob).await.unwrap_err();
        assert_eq!(error.kind(), StageErrorKind::Unavailable);
        assert!(error.to_string().starts_with("cannot read gs://bucket/some/prefix/blobs/"));
        assert!(server.count(Operation::Read, "*") > before + 1, "the request was not retried");
    }
}

#[tokio::test]
async fn missing_response_is_retried() {
    let server = gcs_server();
    let variables = [("STORAGE_EMULATOR_HOST", server.url()), ("GOOGLE_TIMEOUT", "300ms".into())];
    let options = StageOptions::new().with_variables(variables);
    let stage = Stage::open_with(&format!("gs://{BUCKET}"), &options).unwrap();
    let never = Duration::from_secs(3600);
    for operation in [Operation::Head, Operation::Write, Operation::Read] {
        server.inject(Rule::new(operation, "*", Fault::Delay(never)).first(1));
    }
    let pause = Fault::DelayBody { after: 500, pause: never };
    server.inject(Rule::new(Operation::Read, "*", pause).nth(2));
    let blob = put(&stage, 1000, 1).await;
    assert_same(&stage.get_blob(&blob).await.unwrap(), &some(1000, 1));
    let created = stage.create(&names::outcome("run-1"), some(10, 1)).await.unwrap();
    assert_eq!(created, Created::New);
}
