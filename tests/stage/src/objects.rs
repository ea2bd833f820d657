//! Cases on the objects of a run: written, created once, removed together.

use bytes::Bytes;
use futures::future::join_all;
use hype_stage::{Created, Stage, StageErrorKind};
use hype_wire::{Blob, names};

use crate::bytes::{assert_same, some};

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// A read returns the last write.
pub async fn last_write_is_read(stage: &Stage) {
    let name = names::manifest("written");
    stage.put(&name, text("first")).await.expect("a write");
    stage.put(&name, text("second")).await.expect("another");
    assert_eq!(stage.get(&name, 1000).await.expect("a read"), "second");
}

/// A second creation leaves the object unchanged.
pub async fn first_creation_wins(stage: &Stage) {
    let outcome = names::outcome("created");
    let first = stage.create(&outcome, text("first")).await.expect("a creation");
    let second = stage.create(&outcome, text("second")).await.expect("no creation");
    assert_eq!((first, second), (Created::New, Created::Existing));
    assert_eq!(stage.get(&outcome, 1000).await.expect("a read"), "first");
}

/// One of many concurrent creations wins.
pub async fn one_concurrent_creation_wins(stage: &Stage) {
    let outcome = names::outcome("contended");
    let bytes: Vec<Bytes> = (0..16).map(|seed| some(100, seed)).collect();
    let creations = bytes.iter().map(|bytes| stage.create(&outcome, bytes.clone()));
    let created: Vec<Created> =
        join_all(creations).await.into_iter().map(|end| end.expect("a creation")).collect();
    let winners: Vec<_> =
        created.iter().zip(&bytes).filter(|(result, _)| **result == Created::New).collect();
    let [(_, winner)] = &winners[..] else { panic!("{} won", winners.len()) };
    for result in created.iter().filter(|result| **result != Created::New) {
        assert_eq!(*result, Created::Existing);
    }
    assert_eq!(stage.get(&outcome, 1000).await.expect("a read"), **winner);
}

/// A second creation with the same bytes counts as new, as after a lost response.
pub async fn repeated_creation_counts_as_new(stage: &Stage) {
    let outcome = names::outcome("answer-lost");
    for _ in 0..2 {
        let created = stage.create(&outcome, text("ours alone")).await.expect("a creation");
        assert_eq!(created, Created::New);
    }
}

/// A run whose name starts with the removed run's name is kept.
pub async fn run_removal_spares_other_runs(stage: &Stage) {
    let other = names::manifest("run-10");
    let of_run = [names::manifest("run-1"), names::outcome("run-1"), names::result("run-1", 2)];
    for name in of_run.iter().chain([&other]) {
        stage.put(name, text("bytes")).await.expect("a write");
    }
    stage.remove_run("run-1").await.expect("a removal");
    for name in &of_run {
        let error = stage.get(name, 1000).await.expect_err("it was removed");
        assert_eq!(error.kind(), StageErrorKind::NotFound);
    }
    assert_eq!(stage.get(&other, 1000).await.expect("a read"), "bytes");
}

/// Sequential and concurrent removals of one run succeed.
pub async fn run_removal_is_idempotent(stage: &Stage) {
    stage.remove_run("never-was").await.expect("nothing to remove");
    for number in 1..20 {
        stage.put(&names::result("twice", number), text("bytes")).await.expect("a write");
    }
    for end in join_all((0..3).map(|_| stage.remove_run("twice"))).await {
        end.expect("a removal");
    }
    for number in 1..20 {
        assert!(stage.get(&names::result("twice", number), 1000).await.is_err());
    }
    stage.remove_run("twice").await.expect("nothing to remove");
}

/// An object is stored under exactly its name.
pub async fn object_keeps_its_name(stage: &Stage) {
    let name = "runs/a-b_c.d~1/attempts/1/outcome";
    stage.put(name, text("bytes")).await.expect("a write");
    assert_eq!(stage.get(name, 1000).await.expect("a read"), "bytes");
    assert_eq!(stage.url_of(name), format!("{}/{name}", stage.url()));
}

/// An object of several parts replaces a small one.
pub async fn large_object_replaces_a_small_one(stage: &Stage) {
    let name = names::result("large", 1);
    stage.put(&name, text("of an earlier attempt")).await.expect("a write");
    let bytes = some((8 << 20) + 1, 11);
    let blob = stage.put_blob_at(&name, bytes.clone()).await.expect("an upload");
    assert_eq!(blob, Blob::of(&bytes));
    assert_same(&stage.get_blob_at(&name, &blob).await.expect("a download"), &bytes);
}

/// A copy has the bytes of its source, replaces an older one, and remains without its source.
pub async fn copy_has_the_same_bytes(stage: &Stage) {
    let (from, to) = (names::result("copied", 1), names::value("copy"));
    for size in [9, 12 << 20] {
        let bytes = some(size, 7);
        let blob = stage.put_blob_at(&from, bytes.clone()).await.expect("a write");
        stage.copy(&from, &to).await.expect("a copy");
        stage.remove(std::slice::from_ref(&from)).await.expect("a removal");
        let copy = stage.get_blob_at(&to, &blob).await.expect("a verified read");
        assert_same(&copy, &bytes);
    }
}

/// The error of a copy names the missing source.
pub async fn copy_of_missing_object_is_named(stage: &Stage) {
    let from = names::result("nowhere", 1);
    let error = stage.copy(&from, &names::value("copy")).await.expect_err("no source");
    assert_eq!(error.kind(), StageErrorKind::NotFound);
    assert!(error.to_string().contains(&stage.url_of(&from)), "{error}");
}
