//! Interrupted uploads: no incomplete object appears.

use std::time::Duration;

use hype_stage::{Source, Stage, StageErrorKind, Staged};
use hype_wire::{Blob, names};
use test_stage::backends::{BUCKET, gcs_server, gcs_stage};
use test_stage::bytes::{assert_same, some};
use test_storage_server::{Fault, Operation, Refusal, Rule, StorageServer};

/// The size of a blob of five parts.
const SIZE: usize = 40 << 20;

/// Starts an upload, all parts of which hang except one.
async fn start_upload(
    server: &StorageServer,
    stage: &Stage,
) -> (Blob, tokio::task::JoinHandle<()>) {
    let never = Fault::Delay(Duration::from_secs(3600));
    server.inject(Rule::new(Operation::WritePart, "*", never).first(4));
    let (blob, source) = (Blob::of(&some(SIZE, 1)), Source::bytes(some(SIZE, 1)));
    let stage = stage.clone();
    let upload = tokio::spawn(async move {
        stage.put_blob(&blob, &source).await.unwrap();
    });
    server.wait_for(Operation::WritePart, "*", 5).await;
    (blob, upload)
}

#[tokio::test]
async fn dropped_upload_is_aborted() {
    let server = gcs_server();
    let stage = gcs_stage(&server).unwrap();
    let (_, upload) = start_upload(&server, &stage).await;
    upload.abort();
    upload.await.unwrap_err();
    server.wait_for(Operation::AbortUpload, "*", 1).await;
    assert_eq!(server.count(Operation::CompleteUpload, "*"), 0);
    assert!(server.names(BUCKET).is_empty());
}

#[test]
fn upload_restarts_after_runtime_shutdown() {
    let server = gcs_server();
    let stage = gcs_stage(&server).unwrap();
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let dying = runtime();
    let (blob, _) = dying.block_on(start_upload(&server, &stage));
    dying.shutdown_background();
    assert!(server.names(BUCKET).is_empty());
    assert_eq!(server.unfinished_uploads(BUCKET).len(), 1);

    server.clear_faults();
    runtime().block_on(async {
        let again = gcs_stage(&server).unwrap();
        let source = Source::bytes(some(SIZE, 1));
        assert_eq!(again.put_blob(&blob, &source).await.unwrap(), Staged::New);
        assert_same(&again.get_blob(&blob).await.unwrap(), &some(SIZE, 1));
    });
}

#[tokio::test]
async fn upload_with_denied_part_is_aborted() {
    let server = gcs_server();
    let stage = gcs_stage(&server).unwrap();
    let refused = Fault::Refuse(Refusal::new(403));
    server.inject(Rule::new(Operation::WritePart, "*", refused).nth(3));
    let (blob, source) = (Blob::of(&some(SIZE, 1)), Source::bytes(some(SIZE, 1)));
    let error = stage.put_blob(&blob, &source).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Denied);
    assert!(server.names(BUCKET).is_empty());
    assert!(server.unfinished_uploads(BUCKET).is_empty());
}

#[tokio::test]
async fn upload_of_changing_file_is_aborted() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), some(SIZE, 1)).unwrap();
    let path = file.path().to_owned();
    let source = Source::file(file.path()).with_progress(move |_| {
        // Some parts have been uploaded, and the last has not been read yet.
        let changed = std::fs::File::options().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_at(&changed, b"!", SIZE as u64 - 1).unwrap();
    });
    let server = gcs_server();
    let stage = gcs_stage(&server).unwrap();
    // Half of the transfer limit is taken, so the last part waits for the first.
    let busy = (0..4).map(|seed| {
        let (stage, name) = (stage.clone(), names::manifest(&format!("run-{seed}")));
        tokio::spawn(async move { stage.put(&name, some(8 << 20, seed)).await })
    });
    let never = Fault::Delay(Duration::from_secs(3600));
    server.inject(Rule::new(Operation::Write, "*/manifest", never));
    let busy: Vec<_> = busy.collect();
    server.wait_for(Operation::Write, "*/manifest", 4).await;

    let blob = Blob::of(&some(SIZE, 1));
    let error = stage.put_blob(&blob, &source).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::File, "{error}");
    assert!(server.names(BUCKET).is_empty());
    assert!(server.unfinished_uploads(BUCKET).is_empty());
    busy.iter().for_each(tokio::task::JoinHandle::abort);
}
