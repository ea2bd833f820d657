//! The objects of a run: written, created once, removed together.

use bytes::Bytes;
use futures::future::join_all;
use hype_stage::{Created, Stage, StageErrorKind};
use hype_wire::{Blob, names};

use crate::bytes::{assert_same, some};

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// The last that is written.
pub async fn what_is_written_is_read(stage: &Stage) {
    let name = names::manifest("written");
    stage.put(&name, text("first")).await.expect("a write");
    stage.put(&name, text("second")).await.expect("another");
    assert_eq!(stage.get(&name, 1000).await.expect("a read"), "second");
}

/// Whoever comes later gets what the first wrote.
pub async fn the_first_creation_stays(stage: &Stage) {
    let outcome = names::outcome("created");
    let first = stage.create(&outcome, text("first")).await.expect("a creation");
    let second = stage.create(&outcome, text("second")).await.expect("no creation");
    assert_eq!((first, second), (Created::Now, Created::Before));
    assert_eq!(stage.get(&outcome, 1000).await.expect("a read"), "first");
}

/// Of many at once.
pub async fn one_of_many_creations_wins(stage: &Stage) {
    let outcome = names::outcome("contended");
    let bytes: Vec<Bytes> = (0..16).map(|seed| some(100, seed)).collect();
    let creations = bytes.iter().map(|bytes| stage.create(&outcome, bytes.clone()));
    let created: Vec<Created> =
        join_all(creations).await.into_iter().map(|end| end.expect("a creation")).collect();
    let won: Vec<_> = created.iter().zip(&bytes).filter(|(end, _)| **end == Created::Now).collect();
    let [(_, winner)] = &won[..] else { panic!("{} won", won.len()) };
    for end in created.iter().filter(|end| **end != Created::Now) {
        assert_eq!(*end, Created::Before);
    }
    assert_eq!(stage.get(&outcome, 1000).await.expect("a read"), **winner);
}

/// The very bytes that we wrote are ours, as after an answer that was lost.
pub async fn a_creation_that_was_ours_is_ours(stage: &Stage) {
    let outcome = names::outcome("answer-lost");
    for _ in 0..2 {
        let created = stage.create(&outcome, text("ours alone")).await.expect("a creation");
        assert_eq!(created, Created::Now);
    }
}

/// Not the one whose name begins alike.
pub async fn a_run_is_removed_whole_and_alone(stage: &Stage) {
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

/// One after the other, and at once.
pub async fn a_run_is_removed_twice(stage: &Stage) {
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

/// Another handle on the same URL finds an object by its name.
pub async fn names_are_those_that_were_asked_for(stage: &Stage) {
    let name = "runs/a-b_c.d~1/attempts/1/outcome";
    stage.put(name, text("bytes")).await.expect("a write");
    assert_eq!(stage.get(name, 1000).await.expect("a read"), "bytes");
    assert_eq!(stage.url_of(name), format!("{}/{name}", stage.url()));
}

/// A result of several parts.
pub async fn a_large_object_is_put_over_another(stage: &Stage) {
    let name = names::result("large", 1);
    stage.put(&name, text("of an earlier attempt")).await.expect("a write");
    let bytes = some((8 << 20) + 1, 11);
    let blob = stage.put_blob_at(&name, bytes.clone()).await.expect("an upload");
    assert_eq!(blob, Blob::of(&bytes));
    assert_same(&stage.get_blob_at(&name, &blob).await.expect("a download"), &bytes);
}
