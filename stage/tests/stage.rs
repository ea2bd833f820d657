//! The guarantees of a stage in a directory, on which both sides rely.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use hype_stage::{Created, Source, Stage, StageErrorKind, StageOptions, Staged};
use hype_wire::{Blob, names};

fn stage() -> (tempfile::TempDir, Stage) {
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(directory.path()).unwrap();
    (directory, stage)
}

async fn put(stage: &Stage, bytes: &Bytes) -> (Blob, Staged) {
    let blob = Blob::of(bytes);
    let staged = stage.put_blob(&blob, &Source::bytes(bytes.clone())).await.unwrap();
    (blob, staged)
}

#[tokio::test]
async fn blob_is_uploaded_once() {
    let (_directory, stage) = stage();
    let bytes = Bytes::from_static(b"component");
    let (blob, first) = put(&stage, &bytes).await;
    let (again, second) = put(&stage, &bytes).await;
    assert_eq!((first, second), (Staged::New, Staged::Cached));
    assert_eq!(blob, again);
    assert_eq!(stage.get_blob(&blob).await.unwrap(), bytes);
}

#[tokio::test]
async fn truncated_blob_is_uploaded_again() {
    let (_directory, stage) = stage();
    let bytes = Bytes::from_static(b"component");
    let name = names::blob(&Blob::of(&bytes).digest);
    stage.put(&name, bytes.slice(..3)).await.unwrap();
    let (blob, staged) = put(&stage, &bytes).await;
    assert_eq!(staged, Staged::New);
    assert_eq!(stage.get_blob(&blob).await.unwrap(), bytes);
}

#[tokio::test]
async fn altered_or_missing_blob_is_named() {
    let (_directory, stage) = stage();
    let (blob, _) = put(&stage, &Bytes::from_static(b"component")).await;
    let name = names::blob(&blob.digest);
    stage.put(&name, Bytes::from_static(b"something")).await.unwrap();
    let error = stage.get_blob(&blob).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Altered);
    assert!(error.to_string().contains(&stage.url_of(&name)), "{error}");

    let missing = Blob::of(b"never staged");
    let error = stage.get_blob(&missing).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::NotFound);
    assert!(error.to_string().contains(&missing.digest.to_string()), "{error}");
}

/// Writes a sparse object of `bytes` bytes, which uses no disk space.
fn put_huge(directory: &tempfile::TempDir, name: &str, bytes: u64) {
    let path = directory.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::File::create(path).unwrap().set_len(bytes).unwrap();
}

#[tokio::test]
async fn oversized_object_is_rejected_unread() {
    let (directory, stage) = stage();
    let name = names::outcome("run-1");
    // 4 TiB: no machine has the memory to read it.
    put_huge(&directory, &name, 1 << 42);
    let digest = Blob::of(b"outcome").digest;
    for error in [
        stage.get(&name, 1 << 20).await.unwrap_err(),
        stage.get_verified(&name, &digest, 1 << 20).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), StageErrorKind::TooLarge);
        let problem = "is too large: it has 4398046511104 bytes, of at most 1048576";
        assert_eq!(error.to_string(), format!("{} {problem}", stage.url_of(&name)));
    }
}

#[tokio::test]
async fn blob_of_wrong_size_is_rejected_unread() {
    let (directory, stage) = stage();
    let blob = Blob::of(b"component");
    let name = names::blob(&blob.digest);
    put_huge(&directory, &name, 1 << 42);
    let error = stage.get_blob(&blob).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Altered);
    let problem = "was altered: its size is 4398046511104 and should be 9";
    assert_eq!(error.to_string(), format!("{} {problem}", stage.url_of(&name)));
    // An object that is shorter than expected is rejected, too.
    stage.put(&name, Bytes::from_static(b"comp")).await.unwrap();
    let error = stage.get_blob_at(&name, &blob).await.unwrap_err();
    assert!(error.to_string().ends_with("its size is 4 and should be 9"), "{error}");
}

#[tokio::test]
async fn first_creation_wins() {
    let (_directory, stage) = stage();
    let outcome = names::outcome("run-1");
    let first = stage.create(&outcome, Bytes::from_static(b"first")).await.unwrap();
    let second = stage.create(&outcome, Bytes::from_static(b"second")).await.unwrap();
    assert_eq!((first, second), (Created::New, Created::Existing));
    assert_eq!(stage.get(&outcome, 5).await.unwrap(), "first");
}

#[tokio::test]
async fn run_removal_spares_other_runs() {
    let (directory, stage) = stage();
    let other = names::manifest("run-10");
    for name in [names::manifest("run-1"), names::result("run-1", 2), other.clone()] {
        stage.put(&name, Bytes::from_static(b"bytes")).await.unwrap();
    }
    stage.remove_run("run-1").await.unwrap();
    stage.remove_run("run-1").await.unwrap();
    assert!(stage.get(&names::result("run-1", 2), 5).await.is_err());
    assert!(stage.get(&other, 5).await.is_ok());
    assert!(!directory.path().join("runs/run-1").exists());
}

#[tokio::test]
async fn stage_path_may_contain_spaces() {
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(&directory.path().join("my stage")).unwrap();
    assert!(stage.url().ends_with("/my%20stage"), "{}", stage.url());
    let again = Stage::open(stage.url()).unwrap();
    stage.put("runs/r/outcome", Bytes::from_static(b"bytes")).await.unwrap();
    assert_eq!(again.get("runs/r/outcome", 5).await.unwrap(), "bytes");
}

#[test]
fn invalid_url_names_the_fix() {
    for (url, advice) in [
        ("bucket/prefix", "such as gs://bucket/prefix"),
        ("ftp://host/dir", "there are: file://"),
        ("file://host/relative", "file:///absolute/path"),
        ("file:///dev/null/stage", "cannot use the directory /dev/null/stage"),
    ] {
        let error = Stage::open_or_create(url).unwrap_err();
        assert_eq!(error.kind(), StageErrorKind::Location);
        assert!(error.to_string().contains(advice), "{error}");
    }
}

#[test]
fn open_does_not_create_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("file://{}/new", directory.path().display());
    let error = Stage::open(&url).unwrap_err();
    assert!(error.to_string().contains("cannot use the directory"), "{error}");
    Stage::open_or_create(&url).unwrap();
    Stage::open(&url).unwrap();
}

#[test]
fn missing_feature_is_named() {
    for (url, feature, is_built_in) in [
        ("gs://bucket", "gcs", cfg!(feature = "gcs")),
        ("s3://bucket", "aws", cfg!(feature = "aws")),
        ("az://container", "azure", cfg!(feature = "azure")),
    ] {
        let Err(error) = Stage::open_with(url, &StageOptions::new().with_variables([("", "")]))
        else {
            assert!(is_built_in, "{url} was opened");
            continue;
        };
        let problem = format!("{url} needs the feature `{feature}`, which isn't built in");
        assert_eq!(error.to_string() == problem, !is_built_in, "{error}");
        let hint = error.advice().unwrap();
        assert_eq!(hint.contains(&format!("features = [\"{feature}\"]")), !is_built_in, "{hint}");
    }
}
