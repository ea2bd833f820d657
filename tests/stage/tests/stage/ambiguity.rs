//! Writes whose answers are lost: they may have been done.

use hype_stage::{Created, Source, Staged};
use hype_wire::{Blob, names};
use test_stage::backends::{BUCKET, gcs_server, gcs_stage};
use test_stage::bytes::{assert_same, some};
use test_storage_server::{Fault, Operation, Refusal, Rule};

fn lost_answers() -> [Fault; 2] {
    [Fault::RefuseOnceDone(Refusal::new(500)), Fault::ResetOnceDone]
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_ours() {
    for fault in lost_answers() {
        let server = gcs_server();
        let stage = gcs_stage(&server).unwrap();
        server.inject(Rule::new(Operation::Write, "*/outcome", fault).first(1));
        let outcome = names::outcome("run-1");
        assert_eq!(stage.create(&outcome, some(100, 1)).await.unwrap(), Created::Now);
        assert_eq!(server.count(Operation::Write, "*/outcome"), 2);
        assert_same(&stage.get(&outcome, 1000).await.unwrap(), &some(100, 1));
    }
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_may_be_too_late() {
    for fault in lost_answers() {
        let server = gcs_server();
        let stage = gcs_stage(&server).unwrap();
        let outcome = names::outcome("run-1");
        stage.create(&outcome, some(100, 1)).await.unwrap();
        server.inject(Rule::new(Operation::Write, "*/outcome", fault).first(1));
        let created = stage.create(&outcome, some(100, 2)).await.unwrap();
        assert_eq!(created, Created::Before);
    }
}

#[tokio::test]
async fn an_upload_whose_completion_was_lost_is_complete() {
    for fault in lost_answers() {
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
