//! Writes whose responses are lost: they may have been carried out.

use hype_stage::{Created, Source, Staged};
use hype_wire::{Blob, names};
use test_stage::backends::{BUCKET, gcs_server, gcs_stage};
use test_stage::bytes::{assert_same, some};
use test_storage_server::{Fault, Operation, Refusal, Rule};

fn lost_responses() -> [Fault; 2] {
    [Fault::RefuseAfterServing(Refusal::new(500)), Fault::ResetAfterServing]
}

#[tokio::test]
async fn creation_with_lost_response_counts_as_new() {
    for fault in lost_responses() {
        let server = gcs_server();
        let stage = gcs_stage(&server).unwrap();
        server.inject(Rule::new(Operation::Write, "*/outcome", fault).first(1));
        let outcome = names::outcome("run-1");
        assert_eq!(stage.create(&outcome, some(100, 1)).await.unwrap(), Created::New);
        assert_eq!(server.count(Operation::Write, "*/outcome"), 2);
        assert_same(&stage.get(&outcome, 1000).await.unwrap(), &some(100, 1));
    }
}

#[tokio::test]
async fn late_creation_with_lost_response_finds_existing() {
    for fault in lost_responses() {
        let server = gcs_server();
        let stage = gcs_stage(&server).unwrap();
        let outcome = names::outcome("run-1");
        stage.create(&outcome, some(100, 1)).await.unwrap();
        server.inject(Rule::new(Operation::Write, "*/outcome", fault).first(1));
        let created = stage.create(&outcome, some(100, 2)).await.unwrap();
        assert_eq!(created, Created::Existing);
    }
}

#[tokio::test]
async fn upload_with_lost_completion_response_is_complete() {
    for fault in lost_responses() {
        let server = gcs_server();
        let stage = gcs_stage(&server).unwrap();
        server.inject(Rule::new(Operation::CompleteUpload, "*", fault).first(1));
        let bytes = some(9 << 20, 1);
        let (blob, source) = (Blob::of(&bytes), Source::bytes(bytes.clone()));
        assert_eq!(stage.put_blob(&blob, &source).await.unwrap(), Staged::New);
        assert_same(&stage.get_blob(&blob).await.unwrap(), &bytes);
        assert!(server.unfinished_uploads(BUCKET).is_empty());
    }
}
