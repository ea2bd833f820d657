use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::{DirectoryStore, mark};
use crate::{CollectMode, MIN_COLLECT_AGE, Stage, StageErrorKind, StageOptions};

/// A store, and a directory of other files beside it.
struct Fixture {
    _directory: tempfile::TempDir,
    root: PathBuf,
    outside: PathBuf,
    store: DirectoryStore,
}

fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let (root, outside) = (directory.path().join("stage"), directory.path().join("outside"));
    std::fs::create_dir(&root).unwrap();
    mark(&root).unwrap();
    std::fs::create_dir_all(outside.join("attempts/1")).unwrap();
    for file in ["manifest", "keep", "attempts/1/outcome"] {
        std::fs::write(outside.join(file), "precious").unwrap();
    }
    let store = DirectoryStore::open(root.clone()).unwrap();
    Fixture { _directory: directory, root, outside, store }
}

impl Fixture {
    fn assert_outside_is_untouched(&self) {
        for file in ["manifest", "keep", "attempts/1/outcome"] {
            assert_eq!(std::fs::read(self.outside.join(file)).unwrap(), b"precious", "{file}");
        }
        assert_eq!(std::fs::read_dir(&self.outside).unwrap().count(), 3);
    }

    async fn list(&self, prefix: &str) -> Vec<String> {
        let listed =
            self.store.list(Some(&Path::from(prefix))).map_ok(|it| it.location.to_string());
        let mut names: Vec<_> = listed.try_collect().await.unwrap();
        names.sort();
        names
    }
}

fn bytes(text: &'static str) -> PutPayload {
    PutPayload::from_static(text.as_bytes())
}

#[tokio::test]
async fn objects_are_written_whole_and_read_back() {
    let Fixture { store, root, .. } = &fixture();
    let path = Path::from("runs/r/attempts/1/result");
    store.put(&path, bytes("first")).await.unwrap();
    store.put(&path, bytes("second")).await.unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "second");
    assert_eq!(store.get_range(&path, 1..3).await.unwrap(), "ec");
    let again = store.put_opts(&path, bytes("third"), PutMode::Create.into()).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
    let names: Vec<_> = std::fs::read_dir(root.join("runs/r/attempts/1")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn parts_of_an_upload_appear_together() {
    let fixture = fixture();
    let path = Path::from("blobs/large");
    let mut upload = fixture.store.put_multipart(&path).await.unwrap();
    let second = (upload.put_part(bytes("one ")), upload.put_part(bytes("two")));
    second.1.await.unwrap();
    second.0.await.unwrap();
    assert_eq!(fixture.list("blobs").await, [""; 0]);
    upload.complete().await.unwrap();
    assert_eq!(fixture.store.get(&path).await.unwrap().bytes().await.unwrap(), "one two");
    let mut aborted = fixture.store.put_multipart(&Path::from("blobs/other")).await.unwrap();
    aborted.put_part(bytes("part")).await.unwrap();
    aborted.abort().await.unwrap();
    assert_eq!(std::fs::read_dir(fixture.root.join("blobs")).unwrap().count(), 1);
}

#[tokio::test]
async fn files_and_directories_are_private_to_their_owner() {
    let Fixture { store, root, .. } = &fixture();
    store.put(&Path::from("runs/r/manifest"), bytes("secret")).await.unwrap();
    let mode = |path: &str| std::fs::metadata(root.join(path)).unwrap().mode() & 0o777;
    assert_eq!((mode("runs"), mode("runs/r"), mode("runs/r/manifest")), (0o700, 0o700, 0o600));
}

#[tokio::test]
async fn removal_keeps_top_level_and_nonempty_directories() {
    let Fixture { store, root, .. } = &fixture();
    for name in ["runs/r/attempts/1/log", "runs/r/manifest"] {
        store.put(&Path::from(name), bytes("a")).await.unwrap();
    }
    store.delete(&Path::from("runs/r/attempts/1/log")).await.unwrap();
    assert!(!root.join("runs/r/attempts").exists() && root.join("runs/r").exists());
    store.delete(&Path::from("runs/r/manifest")).await.unwrap();
    assert!(!root.join("runs/r").exists() && root.join("runs").exists());
    let again = store.delete(&Path::from("runs/r/manifest")).await;
    assert!(matches!(again, Err(Error::NotFound { .. })), "{again:?}");
}

#[tokio::test]
async fn links_out_of_the_stage_are_not_followed() {
    let fixture = fixture();
    let Fixture { store, root, outside, .. } = &fixture;
    std::fs::create_dir_all(root.join("runs/inner")).unwrap();
    symlink(outside, root.join("runs/linked")).unwrap();
    symlink(outside.join("attempts"), root.join("runs/inner/attempts")).unwrap();
    symlink(outside.join("keep"), root.join("runs/inner/lease")).unwrap();
    for name in ["runs/linked/manifest", "runs/inner/attempts/1/outcome", "runs/inner/lease"] {
        let path = Path::from(name);
        let read = store.get(&path).await.unwrap_err();
        assert!(matches!(read, Error::PermissionDenied { .. }), "{name}: {read:?}");
        assert!(format!("{read:?}").contains("a symbolic link"), "{read:?}");
    }
    for name in ["runs/linked/manifest", "runs/inner/attempts/1/outcome"] {
        let path = Path::from(name);
        let removed = store.delete(&path).await.unwrap_err();
        assert!(matches!(removed, Error::PermissionDenied { .. }), "{name}: {removed:?}");
        let written = store.put(&path, bytes("forged")).await.unwrap_err();
        assert!(matches!(written, Error::PermissionDenied { .. }), "{name}: {written:?}");
        assert!(store.put_multipart(&path).await.is_err());
    }
    assert_eq!(fixture.list("runs").await, [""; 0]);
    // A link that stands where an object should is removed or replaced itself.
    store.delete(&Path::from("runs/inner/lease")).await.unwrap();
    symlink(outside.join("keep"), root.join("runs/inner/lease")).unwrap();
    store.put(&Path::from("runs/inner/lease"), bytes("lease")).await.unwrap();
    fixture.assert_outside_is_untouched();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_swapped_in_during_an_access_is_not_followed() {
    let fixture = fixture();
    let Fixture { store, root, outside, .. } = &fixture;
    let (run, link, stop) = (root.join("runs/r"), root.join("link"), &AtomicBool::new(false));
    std::fs::create_dir_all(&run).unwrap();
    symlink(outside, &link).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let aside = root.join("aside");
            while !stop.load(Ordering::Relaxed) {
                let _ = std::fs::rename(&run, &aside);
                let _ = std::fs::rename(&link, &run);
                let _ = std::fs::rename(&run, &link);
                let _ = std::fs::rename(&aside, &run);
            }
        });
        let runtime = tokio::runtime::Handle::current();
        let work = async {
            let path = Path::from("runs/r/keep");
            for _ in 0..400 {
                // Each of these may fail, since the directory comes and goes.
                let _ = store.put(&path, bytes("forged")).await;
                if let Ok(read) = store.get(&path).await {
                    assert_eq!(read.bytes().await.unwrap(), "forged");
                }
                let _ = store.delete(&path).await;
                let _ = store.list(None).try_collect::<Vec<_>>().await;
            }
        };
        tokio::task::block_in_place(|| runtime.block_on(work));
        stop.store(true, Ordering::Relaxed);
    });
    fixture.assert_outside_is_untouched();
}

#[tokio::test]
async fn file_in_place_of_a_directory_is_an_error() {
    let Fixture { store, root, .. } = &fixture();
    std::fs::write(root.join("blobs"), "").unwrap();
    let path = Path::from("blobs/a");
    for error in [store.put(&path, bytes("a")).await.err(), store.head(&path).await.err()] {
        let error = error.unwrap();
        assert!(matches!(error, Error::Generic { .. }), "{error:?}");
        assert!(format!("{error:?}").contains("blobs is not a directory"), "{error:?}");
    }
}

#[tokio::test]
async fn pipe_is_rejected_without_waiting_for_a_writer() {
    let Fixture { store, root, .. } = &fixture();
    std::fs::create_dir(root.join("blobs")).unwrap();
    let status = std::process::Command::new("mkfifo").arg(root.join("blobs/pipe")).status();
    assert!(status.unwrap().success());
    let error = store.get(&Path::from("blobs/pipe")).await.unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error:?}");
}

#[tokio::test]
async fn unfinished_files_are_not_listed() {
    let fixture = fixture();
    std::fs::create_dir(fixture.root.join("blobs")).unwrap();
    std::fs::write(fixture.root.join("blobs/abc#1"), "part").unwrap();
    std::fs::write(fixture.root.join("blobs/abc"), "whole").unwrap();
    assert_eq!(fixture.list("blobs").await, ["blobs/abc"]);
}

#[tokio::test]
async fn removal_needs_the_marker_of_a_stage() {
    let Fixture { store, root, .. } = &fixture();
    let path = Path::from("blobs/a");
    store.put(&path, bytes("a")).await.unwrap();
    std::fs::remove_file(root.join(".hype-stage")).unwrap();
    let error = store.delete(&path).await.unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error:?}");
    // A submitter adopts a stage of its user.
    Stage::in_directory(root).unwrap();
    store.delete(&path).await.unwrap();
}

#[test]
fn stage_writable_by_other_users_is_rejected_unless_shared() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o1777)).unwrap();
    let url = format!("file://{}", path.display());
    let error = Stage::open_or_create(&url).unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Location);
    assert!(error.to_string().contains("may be written to by every user"), "{error}");
    assert!(error.advice().is_some_and(|hint| hint.contains("chmod go-w")), "{error:?}");
    Stage::open_or_create_with(&url, &StageOptions::new().with_sharing()).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Stage::open_or_create(&url).unwrap();
}

/// Writes a file that is older than any that a garbage collection keeps.
fn write_old(path: &std::path::Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - 30 * MIN_COLLECT_AGE).unwrap();
}

#[tokio::test]
async fn garbage_collection_removes_only_objects_of_hype() {
    let fixture = fixture();
    let Fixture { root, outside, .. } = &fixture;
    let foreign = [
        "runs/old/notes.txt",
        "runs/old/attempts/1/picture.png",
        "runs/RUN/manifest",
        "runs/other/data",
        "blobs/readme",
        "precious.txt",
    ];
    for name in foreign {
        write_old(&root.join(name));
    }
    let stale = ["runs/old/manifest", "runs/old/attempts/1/log", "runs/old/attempts/2/result"];
    for name in stale {
        write_old(&root.join(name));
    }
    std::fs::create_dir(root.join("runs/empty")).unwrap();
    symlink(outside, root.join("runs/linked")).unwrap();
    symlink(outside.join("attempts"), root.join("runs/other/attempts")).unwrap();
    let stage = Stage::in_directory(root).unwrap();
    let report = stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!(report.runs, ["old"]);
    for name in foreign {
        assert!(root.join(name).exists(), "{name}");
    }
    for name in stale.iter().chain(&["runs/old/attempts/2"]) {
        assert!(!root.join(name).exists(), "{name}");
    }
    assert!(root.join("runs/empty").exists());
    let error = stage.remove_run("linked").await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::Denied, "{error:?}");
    stage.remove_run("other").await.unwrap();
    fixture.assert_outside_is_untouched();
}
