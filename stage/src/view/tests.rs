use crate::directory::Folder;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hype_wire::{Blob, Digest, names};

use crate::{CollectMode, MIN_COLLECT_AGE, Source, Stage, StageErrorKind};

const RUN: &str = "hype-run-a";

/// A stage with a run, its blob and the blob of another run.
struct Fixture {
    directory: tempfile::TempDir,
    stage: Stage,
    blob: Digest,
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(&directory.path().join("stage")).unwrap();
    for bytes in ["own", "other"] {
        stage.put_blob(&Blob::of(bytes.as_bytes()), &Source::bytes(bytes)).await.unwrap();
    }
    stage.put(&names::manifest(RUN), "manifest".into()).await.unwrap();
    Fixture { directory, stage, blob: Digest::of(b"own") }
}

impl Fixture {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("stage").join(name)
    }
}

fn names_in(path: &Path) -> Vec<String> {
    let mut names = Folder::open_root(path).unwrap().names().unwrap();
    names.sort();
    names
}

#[tokio::test]
async fn view_has_only_the_named_objects() {
    let fixture = fixture().await;
    let blobs = vec![fixture.blob, fixture.blob, Digest::of(b"missing")];
    let view = fixture.stage.create_view(RUN, 2, blobs).await.unwrap();
    assert_eq!(names_in(&view.blobs), [fixture.blob.to_string()]);
    let linked = fs::metadata(view.blobs.join(fixture.blob.to_string())).unwrap();
    assert_eq!(
        linked.ino(),
        fs::metadata(fixture.path(&names::blob(&fixture.blob))).unwrap().ino()
    );
    let [(name, file)] = &view.inputs[..] else { panic!("{view:?}") };
    assert_eq!((name, fs::read(file).unwrap()), (&names::manifest(RUN), b"manifest".to_vec()));
    assert_eq!(view.run, fixture.path(&names::run(RUN)).canonicalize().unwrap());
    for folder in ["views", "views/hype-run-a", "views/hype-run-a/2", "views/hype-run-a/2/blobs"] {
        let mode = fs::metadata(fixture.path(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
}

#[tokio::test]
async fn each_attempt_has_its_own_view() {
    let Fixture { stage, blob, .. } = &fixture().await;
    let first = stage.create_view(RUN, 1, vec![]).await.unwrap();
    let second = stage.create_view(RUN, 2, vec![*blob]).await.unwrap();
    assert_eq!((names_in(&first.blobs).len(), names_in(&second.blobs).len()), (0, 1));
    let error = stage.create_view(RUN, 2, vec![]).await.unwrap_err();
    assert_eq!(error.kind(), StageErrorKind::File);
    stage.remove_views(RUN).await.unwrap();
    assert!(!first.blobs.exists() && !second.blobs.exists());
    stage.remove_views(RUN).await.unwrap();
}

#[test]
fn file_on_another_file_system_is_copied() {
    let here = tempfile::tempdir().unwrap();
    let Ok(shared_memory) = tempfile::tempdir_in("/dev/shm") else { return };
    fs::write(shared_memory.path().join("file"), "bytes").unwrap();
    let [from, to] = [shared_memory.path(), here.path()].map(|it| Folder::open_root(it).unwrap());
    assert!(from.share("file", &to).unwrap());
    assert!(from.share("file", &to).unwrap());
    assert_eq!(fs::read(here.path().join("file")).unwrap(), b"bytes");
}

#[tokio::test]
async fn private_file_of_another_user_is_copied() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let fixture = fixture().await;
    let path = fixture.path(&names::blob(&fixture.blob));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::chown(&path, Some(12_345), Some(12_345)).unwrap();
    let view = fixture.stage.create_view(RUN, 1, vec![fixture.blob]).await.unwrap();
    let copy = fs::metadata(view.blobs.join(fixture.blob.to_string())).unwrap();
    assert_eq!((copy.uid(), copy.len(), copy.nlink()), (0, 3, 1));
}

#[tokio::test]
async fn view_does_not_follow_symbolic_links() {
    let fixture = fixture().await;
    let outside = fixture.directory.path().join("outside");
    fs::create_dir_all(outside.join(RUN)).unwrap();
    fs::write(outside.join(RUN).join("keep"), "precious").unwrap();
    for name in ["views", "runs/hype-run-b"] {
        symlink(&outside, fixture.path(name)).unwrap();
    }
    fixture.stage.create_view(RUN, 1, vec![]).await.unwrap_err();
    fixture.stage.remove_views(RUN).await.unwrap_err();
    fs::remove_file(fixture.path("views")).unwrap();
    fixture.stage.create_view("hype-run-b", 1, vec![]).await.unwrap_err();
    fixture.stage.create_view("../outside", 1, vec![]).await.unwrap_err();
    // A symbolic link is not an input of the run.
    symlink(outside.join(RUN).join("keep"), fixture.path("runs/hype-run-a/arguments")).unwrap();
    let view = fixture.stage.create_view(RUN, 1, vec![]).await.unwrap();
    assert_eq!(view.inputs.len(), 1, "{view:?}");
    symlink(outside.join(RUN), fixture.path("views/hype-run-a/2")).unwrap();
    fixture.stage.remove_views(RUN).await.unwrap_err();
    assert_eq!(fs::read(outside.join(RUN).join("keep")).unwrap(), b"precious");
}

#[tokio::test]
async fn removal_keeps_files_of_other_programs() {
    let fixture = fixture().await;
    for file in ["views/home/index.html", "views/hype-run-a/1/notes", "views/hype-run-a/1/blobs/a"]
    {
        fs::create_dir_all(fixture.path(file).parent().unwrap()).unwrap();
        fs::write(fixture.path(file), "precious").unwrap();
    }
    for run in ["home", RUN] {
        fixture.stage.remove_views(run).await.unwrap();
    }
    assert_eq!(names_in(&fixture.path("views/home")), ["index.html"]);
    assert_eq!(names_in(&fixture.path("views/hype-run-a/1")), ["blobs", "notes"]);
    assert_eq!(names_in(&fixture.path("views/hype-run-a/1/blobs")), ["a"]);
    let home = fs::File::open(fixture.path("views/home")).unwrap();
    home.set_modified(SystemTime::now() - 2 * MIN_COLLECT_AGE).unwrap();
    let report = fixture.stage.collect(MIN_COLLECT_AGE, CollectMode::DryRun).await.unwrap();
    assert_eq!(report.runs, [""; 0]);
}

#[tokio::test]
async fn nothing_is_removed_from_a_directory_without_the_marker() {
    let Fixture { stage, blob, directory } = &fixture().await;
    let view = stage.create_view(RUN, 1, vec![*blob]).await.unwrap();
    fs::remove_file(directory.path().join("stage/.hype-stage")).unwrap();
    stage.remove_views(RUN).await.unwrap();
    assert!(view.blobs.exists());
}

#[tokio::test]
async fn removal_of_a_run_removes_its_views() {
    let Fixture { stage, blob, .. } = &fixture().await;
    let view = stage.create_view(RUN, 1, vec![*blob]).await.unwrap();
    stage.remove_run(RUN).await.unwrap();
    assert!(!view.blobs.exists() && !view.run.exists());
    assert!(stage.has(&names::blob(blob)).await.unwrap());
}

#[tokio::test]
async fn collection_removes_old_orphaned_views() {
    let fixture = fixture().await;
    let stage = &fixture.stage;
    for run in ["hype-run-new", "hype-run-old"] {
        fs::create_dir_all(fixture.path(&format!("views/{run}/1/blobs"))).unwrap();
    }
    let old = fs::File::open(fixture.path("views/hype-run-old")).unwrap();
    old.set_modified(SystemTime::now() - MIN_COLLECT_AGE - Duration::from_secs(10)).unwrap();
    let dry_run = stage.collect(MIN_COLLECT_AGE, CollectMode::DryRun).await.unwrap();
    let report = stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!(report.runs, ["hype-run-old"]);
    assert_eq!(dry_run, report);
    assert_eq!(names_in(&fixture.path("views")), ["hype-run-new"]);
}
