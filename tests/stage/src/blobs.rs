//! Cases on blobs: uploaded once, verified when they are read.

use std::io::{Read, Seek, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use hype_stage::{Source, Stage, StageErrorKind, Staged};
use hype_wire::{Blob, names};

use crate::bytes::{assert_same, some};

/// The size of a blob of two parts, the second of which is smaller.
const LARGE: usize = (8 << 20) + 12_345;

async fn put(stage: &Stage, bytes: &Bytes) -> (Blob, Staged) {
    let (blob, source) = (Blob::of(bytes), Source::bytes(bytes.clone()));
    let staged = stage.put_blob(&blob, &source).await.expect("an upload");
    (blob, staged)
}

fn file_of(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("its bytes");
    file
}

/// A second upload of the same bytes finds the blob.
pub async fn blob_is_uploaded_once(stage: &Stage) {
    let bytes = some(1000, 1);
    let (blob, first) = put(stage, &bytes).await;
    let (again, second) = put(stage, &bytes).await;
    assert_eq!((first, second), (Staged::New, Staged::Cached));
    assert_eq!(blob, again);
    assert_same(&stage.get_blob(&blob).await.expect("a download"), &bytes);
}

/// A blob of 0 bytes round-trips.
pub async fn empty_blob_round_trips(stage: &Stage) {
    let (blob, _) = put(stage, &Bytes::new()).await;
    assert_eq!(stage.get_blob(&blob).await.expect("a download"), Bytes::new());
}

/// Blobs of one part and of several parts round-trip.
pub async fn large_blob_round_trips(stage: &Stage) {
    for size in [8 << 20, (8 << 20) + 1, (20 << 20) + 5] {
        let bytes = some(size, 2);
        let (blob, staged) = put(stage, &bytes).await;
        assert_eq!(staged, Staged::New);
        assert_same(&stage.get_blob(&blob).await.expect("a download"), &bytes);
    }
}

/// Small and large files round-trip.
pub async fn file_round_trips(stage: &Stage) {
    for size in [0, 10, LARGE] {
        let bytes = some(size, 3);
        let file = file_of(&bytes);
        let (blob, source) = (Blob::of(&bytes), Source::file(file.path()));
        stage.put_blob(&blob, &source).await.expect("an upload");
        assert_same(&stage.get_blob(&blob).await.expect("a download"), &bytes);
    }
}

/// A file that changed after it was hashed is rejected.
pub async fn changed_file_is_rejected(stage: &Stage) {
    for size in [100, LARGE] {
        let mut bytes = some(size, 4).to_vec();
        let file = file_of(&bytes);
        let (blob, source) = (Blob::of(&bytes), Source::file(file.path()));
        bytes[size / 2] ^= 1;
        std::fs::write(file.path(), &bytes).expect("a change");
        assert_source_rejected(stage, &blob, &source, "changed while it was being staged").await;
        std::fs::write(file.path(), &bytes[..size - 1]).expect("a truncation");
        assert_source_rejected(stage, &blob, &source, "changed while it was being staged").await;
        std::fs::remove_file(file.path()).expect("a removal");
        assert_source_rejected(stage, &blob, &source, "cannot read the file").await;
    }
}

async fn assert_source_rejected(stage: &Stage, blob: &Blob, source: &Source, problem: &str) {
    let error = stage.put_blob(blob, source).await.expect_err("it is another file");
    assert_eq!(error.kind(), StageErrorKind::File, "{error}");
    assert!(error.to_string().contains(problem), "{error}");
    let absent = stage.get_blob(blob).await.expect_err("nothing is there");
    assert_eq!(absent.kind(), StageErrorKind::NotFound, "{absent}");
}

/// A download fills an open file, and a blob of another size is rejected.
pub async fn blob_fills_an_open_file(stage: &Stage) {
    for size in [0, 10, LARGE] {
        let bytes = some(size, 14);
        let (blob, _) = put(stage, &bytes).await;
        let file = tempfile::tempfile().expect("a file");
        let mut file = stage.fill_with_blob(&blob, file).await.expect("a download");
        let mut found = Vec::new();
        file.rewind().expect("its beginning");
        file.read_to_end(&mut found).expect("its bytes");
        assert_same(&found, &bytes);
        let other = Blob { digest: blob.digest, size: blob.size + 1 };
        let file = tempfile::tempfile().expect("a file");
        let error = stage.fill_with_blob(&other, file).await.expect_err("it has another size");
        assert_eq!(error.kind(), StageErrorKind::Altered, "{error}");
    }
}

/// A download to a path creates a file with mode 0600.
pub async fn blob_is_saved_to_a_private_file(stage: &Stage) {
    let directory = tempfile::tempdir().expect("a directory");
    for size in [0, 10, LARGE] {
        let bytes = some(size, 12);
        let (blob, _) = put(stage, &bytes).await;
        let path = directory.path().join(format!("{size}"));
        stage.save_blob(&blob, &path).await.expect("a download");
        assert_same(&std::fs::read(&path).expect("the file"), &bytes);
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &path.metadata().expect("the file").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        let error = stage.save_blob(&blob, &path).await.expect_err("there is a file");
        assert_eq!(error.kind(), StageErrorKind::File, "{error}");
    }
}

/// A failed download leaves no file.
pub async fn altered_blob_is_not_saved(stage: &Stage) {
    let directory = tempfile::tempdir().expect("a directory");
    for size in [10, LARGE] {
        let bytes = some(size, 13);
        let (blob, _) = put(stage, &bytes).await;
        let mut altered = bytes.to_vec();
        altered[size - 1] ^= 1;
        let name = names::blob(&blob.digest);
        stage.put_blob_at(&name, altered.into()).await.expect("an alteration");
        let path = directory.path().join("file");
        let error = stage.save_blob(&blob, &path).await.expect_err("it was altered");
        assert_eq!(error.kind(), StageErrorKind::Altered, "{error}");
        assert!(!path.exists());
    }
}

/// A truncated blob does not count as uploaded.
pub async fn truncated_blob_is_uploaded_again(stage: &Stage) {
    let bytes = some(1000, 5);
    let name = names::blob(&Blob::of(&bytes).digest);
    stage.put(&name, bytes.slice(..3)).await.expect("a part");
    let (blob, staged) = put(stage, &bytes).await;
    assert_eq!(staged, Staged::New);
    assert_same(&stage.get_blob(&blob).await.expect("a download"), &bytes);
}

/// One altered byte is detected.
pub async fn altered_blob_is_rejected(stage: &Stage) {
    for size in [1000, LARGE] {
        let bytes = some(size, 6);
        let (blob, _) = put(stage, &bytes).await;
        let mut altered = bytes.to_vec();
        altered[size - 1] ^= 1;
        let name = names::blob(&blob.digest);
        stage.put_blob_at(&name, altered.into()).await.expect("an alteration");
        let error = stage.get_blob(&blob).await.expect_err("it was altered");
        assert_eq!(error.kind(), StageErrorKind::Altered);
        assert!(error.to_string().contains(&stage.url_of(&name)), "{error}");
    }
}

/// Longer, shorter and empty objects are rejected.
pub async fn blob_of_wrong_size_is_rejected(stage: &Stage) {
    let bytes = some(LARGE, 7);
    let blob = Blob::of(&bytes);
    let name = names::blob(&blob.digest);
    for size in [0, 5, 8 << 20, LARGE - 1] {
        let other = bytes.slice(..size);
        stage.put_blob_at(&name, other).await.expect("a cut");
        let error = stage.get_blob(&blob).await.expect_err("it is cut");
        assert_eq!(error.kind(), StageErrorKind::Altered, "{size} {error}");
        let numbers = format!("its size is {size} and should be {LARGE}");
        assert!(error.to_string().contains(&numbers), "{error}");

        let longer = Blob { size: size.saturating_sub(1) as u64, ..blob };
        if size > 0 {
            let error = stage.get_blob(&longer).await.expect_err("it is longer");
            assert_eq!(error.kind(), StageErrorKind::Altered, "{size} {error}");
        }
    }
}

/// A forged size does not abort the process.
pub async fn size_beyond_memory_is_rejected(stage: &Stage) {
    let blob = Blob { size: 1 << 60, ..Blob::of(b"small") };
    stage.put(&names::blob(&blob.digest), Bytes::from_static(b"small")).await.expect("a write");
    let error = stage.get_blob(&blob).await.expect_err("no machine has that much");
    assert_eq!(error.kind(), StageErrorKind::TooLarge, "{error}");
}

/// The error of a missing blob has its digest.
pub async fn missing_blob_is_named(stage: &Stage) {
    for size in [10, LARGE] {
        let missing = Blob::of(&some(size, 8));
        let error = stage.get_blob(&missing).await.expect_err("nothing is there");
        assert_eq!(error.kind(), StageErrorKind::NotFound);
        assert!(error.to_string().contains(&missing.digest.to_string()), "{error}");
    }
}

/// Concurrent uploads and downloads of one blob succeed.
pub async fn concurrent_uploads_of_one_blob_succeed(stage: &Stage) {
    for size in [1000, LARGE] {
        let bytes = some(size, 9);
        let source = Source::bytes(bytes.clone());
        let blob = Blob::of(&bytes);
        let uploads = (0..4).map(|_| stage.put_blob(&blob, &source));
        try_join_all(uploads).await.expect("four uploads");
        let downloads = (0..4).map(|_| stage.get_blob(&blob));
        for download in join_all(downloads).await {
            assert_same(&download.expect("a download"), &bytes);
        }
    }
}

/// Progress grows to the blob's size, and a cached blob reports none.
pub async fn progress_ends_with_the_size(stage: &Stage) {
    for size in [10, LARGE] {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&reports);
        let bytes = some(size, 10);
        let source = Source::bytes(bytes.clone())
            .with_progress(move |sent| log.lock().expect("no panic").push(sent));
        let blob = Blob::of(&bytes);
        stage.put_blob(&blob, &source).await.expect("an upload");
        let progress = std::mem::take(&mut *reports.lock().expect("no panic"));
        assert!(progress.is_sorted(), "{progress:?}");
        assert_eq!(progress.last(), Some(&(size as u64)));
        assert!(size < LARGE || progress.len() > 2, "{progress:?}");
        stage.put_blob(&blob, &source).await.expect("a cached blob");
        assert!(reports.lock().expect("no panic").is_empty());
    }
}
