//! Blobs: put once under their digests, read verified.

use std::io::{Read, Seek, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use hype_stage::{Source, Stage, StageErrorKind, Staged};
use hype_wire::{Blob, names};

use crate::bytes::{assert_same, some};

/// Two parts, the second of which is not full.
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

/// The second upload of the same bytes finds them.
pub async fn a_blob_is_uploaded_once(stage: &Stage) {
    let bytes = some(1000, 1);
    let (blob, first) = put(stage, &bytes).await;
    let (again, second) = put(stage, &bytes).await;
    assert_eq!((first, second), (Staged::New, Staged::Cached));
    assert_eq!(blob, again);
    assert_same(&stage.get_blob(&blob).await.expect("a download"), &bytes);
}

/// No byte is a number of bytes.
pub async fn an_empty_blob_is_one_too(stage: &Stage) {
    let (blob, _) = put(stage, &Bytes::new()).await;
    assert_eq!(stage.get_blob(&blob).await.expect("a download"), Bytes::new());
}

/// What goes in parts comes back whole; one of exactly a part's size too.
pub async fn a_large_blob_comes_back(stage: &Stage) {
    for size in [8 << 20, (8 << 20) + 1, (20 << 20) + 5] {
        let bytes = some(size, 2);
        let (blob, staged) = put(stage, &bytes).await;
        assert_eq!(staged, Staged::New);
        assert_same(&stage.get_blob(&blob).await.expect("a download"), &bytes);
    }
}

/// A file's blob is that of its bytes, small or large.
pub async fn a_file_is_staged_like_its_bytes(stage: &Stage) {
    for size in [0, 10, LARGE] {
        let bytes = some(size, 3);
        let file = file_of(&bytes);
        let (blob, source) = (Blob::of(&bytes), Source::file(file.path()));
        stage.put_blob(&blob, &source).await.expect("an upload");
        assert_same(&stage.get_blob(&blob).await.expect("a download"), &bytes);
    }
}

/// What was written to a file after it was hashed is not taken for what was hashed.
pub async fn a_file_that_changed_is_not_staged(stage: &Stage) {
    for size in [100, LARGE] {
        let mut bytes = some(size, 4).to_vec();
        let file = file_of(&bytes);
        let (blob, source) = (Blob::of(&bytes), Source::file(file.path()));
        bytes[size / 2] ^= 1;
        std::fs::write(file.path(), &bytes).expect("a change");
        refuses_source(stage, &blob, &source, "changed while it was being staged").await;
        std::fs::write(file.path(), &bytes[..size - 1]).expect("a cut");
        refuses_source(stage, &blob, &source, "changed while it was being staged").await;
        std::fs::remove_file(file.path()).expect("a removal");
        refuses_source(stage, &blob, &source, "cannot read the file").await;
    }
}

async fn refuses_source(stage: &Stage, blob: &Blob, source: &Source, problem: &str) {
    let error = stage.put_blob(blob, source).await.expect_err("it is another file");
    assert_eq!(error.kind(), StageErrorKind::File, "{error}");
    assert!(error.to_string().contains(problem), "{error}");
    let absent = stage.get_blob(blob).await.expect_err("nothing is there");
    assert_eq!(absent.kind(), StageErrorKind::NotFound, "{absent}");
}

/// A file of the caller's gets all of it, and nothing that differs passes for it.
pub async fn a_file_is_filled_with_a_blob(stage: &Stage) {
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

/// What is saved is what was staged, for this user alone.
pub async fn a_blob_is_saved_to_a_file(stage: &Stage) {
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

/// What isn't the blob isn't left on the disk for somebody to use.
pub async fn what_is_not_the_blob_is_not_saved(stage: &Stage) {
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

/// What somebody cut short isn't taken for what it was.
pub async fn a_cut_blob_is_uploaded_again(stage: &Stage) {
    let bytes = some(1000, 5);
    let name = names::blob(&Blob::of(&bytes).digest);
    stage.put(&name, bytes.slice(..3)).await.expect("a part");
    let (blob, staged) = put(stage, &bytes).await;
    assert_eq!(staged, Staged::New);
    assert_same(&stage.get_blob(&blob).await.expect("a download"), &bytes);
}

/// One byte is enough.
pub async fn an_altered_blob_is_refused(stage: &Stage) {
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

/// Longer, shorter, and empty ones.
pub async fn a_blob_of_another_size_is_refused(stage: &Stage) {
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

/// A size that somebody made up is no reason to die.
pub async fn a_size_beyond_all_memory_is_refused(stage: &Stage) {
    let blob = Blob { size: 1 << 60, ..Blob::of(b"small") };
    stage.put(&names::blob(&blob.digest), Bytes::from_static(b"small")).await.expect("a write");
    let error = stage.get_blob(&blob).await.expect_err("no machine has that much");
    assert_eq!(error.kind(), StageErrorKind::TooLarge, "{error}");
}

/// An object that isn't there is named by its digest.
pub async fn a_missing_blob_is_named(stage: &Stage) {
    for size in [10, LARGE] {
        let missing = Blob::of(&some(size, 8));
        let error = stage.get_blob(&missing).await.expect_err("nothing is there");
        assert_eq!(error.kind(), StageErrorKind::NotFound);
        assert!(error.to_string().contains(&missing.digest.to_string()), "{error}");
    }
}

/// Two that stage the same at once do not disturb each other.
pub async fn one_blob_is_staged_by_many_at_once(stage: &Stage) {
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

/// What is told of an upload grows up to its size, and of what is there nothing is told.
pub async fn progress_ends_with_the_size(stage: &Stage) {
    for size in [10, LARGE] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&told);
        let bytes = some(size, 10);
        let source = Source::bytes(bytes.clone())
            .with_progress(move |sent| hear.lock().expect("nobody panicked").push(sent));
        let blob = Blob::of(&bytes);
        stage.put_blob(&blob, &source).await.expect("an upload");
        let heard = std::mem::take(&mut *told.lock().expect("nobody panicked"));
        assert!(heard.is_sorted(), "{heard:?}");
        assert_eq!(heard.last(), Some(&(size as u64)));
        assert!(size < LARGE || heard.len() > 2, "{heard:?}");
        stage.put_blob(&blob, &source).await.expect("it is there");
        assert!(told.lock().expect("nobody panicked").is_empty());
    }
}
