//! Garbage collections concurrent with submits, in deterministic random interleavings.

use bytes::Bytes;
use hype_wire::{Lease, names};

use super::simulation::{HOUR, Random, Task, World, interleave};
use super::{CollectMode, CollectReport, MIN_COLLECT_AGE};

#[test]
fn concurrent_collections_lose_no_blob() {
    let world = World::new();
    let mut random = Random(7);
    for round in 0..1_000 {
        let mut tasks: Vec<Task<'_>> = vec![Box::pin(world.collect())];
        for number in 0..random.below(4) {
            let steps = random.below(60);
            let bits = 1 + random.below((1 << world.blobs.len()) - 1);
            tasks.push(Box::pin(world.submit(steps, format!("run-{round}-{number}"), bits)));
        }
        for (run_id, bits) in world.queued.take() {
            if random.below(3) == 0 {
                tasks.push(Box::pin(world.run(run_id, bits)));
            } else {
                tasks.push(Box::pin(world.renew(run_id.clone())));
                world.queued.borrow_mut().push((run_id, bits));
            }
        }
        if random.below(4) == 0 {
            tasks.push(Box::pin(world.collect()));
        }
        interleave(tasks, &mut random, &world.clock);
        world.clock.advance(HOUR * random.below(40) as u32);
    }
    let collected = world.collected.borrow();
    // Otherwise the simulation tests nothing.
    assert!(collected.runs.len() > 500, "{} runs were removed", collected.runs.len());
    assert!(collected.blobs.len() > 50, "{} blobs were removed", collected.blobs.len());
    let (ran, restaged) = (*world.ran.borrow(), *world.restaged.borrow());
    // The race between the last check of a blob and its removal is rare, but does happen.
    assert!((1..12).contains(&restaged), "{restaged} of {ran} runs were staged again");
}

async fn submit_old_run(world: &World) {
    world.submit(0, "old".into(), 0b11).await;
    world.clock.advance(30 * HOUR);
}

#[tokio::test]
async fn old_run_is_removed_with_its_blobs() {
    let world = World::new();
    submit_old_run(&world).await;
    let dry = world.stage.collect(MIN_COLLECT_AGE, CollectMode::DryRun).await.unwrap();
    assert_eq!((dry.runs.as_slice(), dry.blobs.len()), (["old".to_owned()].as_slice(), 2));
    let real = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!(real, dry);
    let again = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!(again, CollectReport::default());
}

#[tokio::test]
async fn detached_run_is_kept_with_its_blobs() {
    let world = World::new();
    submit_old_run(&world).await;
    let mut lease = Lease::new("old".parse().unwrap(), "f", "owner", HOUR);
    lease.detached = true;
    let lease = Bytes::from(lease.to_bytes().unwrap());
    world.stage.put(&names::lease("old"), lease).await.unwrap();
    world.clock.advance(30 * HOUR);
    let collected = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    let kept = CollectReport {
        kept_runs: 1,
        kept_detached: 1,
        kept_blobs: 2,
        kept_needed: 2,
        ..CollectReport::default()
    };
    assert_eq!(collected, kept);
}

#[tokio::test]
async fn staged_map_is_kept_and_removed_with_its_run() {
    let world = World::new();
    submit_old_run(&world).await;
    let names = [
        names::map_plan("old", 0),
        names::map_out("old", 0, 1),
        names::map_blob("old", &hype_wire::Digest::of(b"value")),
        // Its run is gone already.
        names::map_out("gone", 3, 0),
    ];
    for name in &names {
        world.stage.put(name, Bytes::from_static(b"object")).await.unwrap();
    }
    let foreign = "maps/old/notes".to_owned();
    world.stage.put(&foreign, Bytes::new()).await.unwrap();
    // The run is old, and the map is young.
    let collected = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!((collected.runs.len(), collected.kept_runs), (0, 2));
    world.clock.advance(30 * HOUR);
    let collected = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!(collected.runs, ["gone", "old"]);
    for name in &names {
        assert!(!world.stage.has(name).await.unwrap(), "{name}");
    }
    assert!(world.stage.has(&foreign).await.unwrap());
}

/// A run that was cancelled while it was staged has a lease and no manifest.
#[tokio::test]
async fn detached_run_without_manifest_is_removed() {
    let world = World::new();
    let mut lease = Lease::new("old".parse().unwrap(), "f", "owner", HOUR);
    lease.detached = true;
    let lease = Bytes::from(lease.to_bytes().unwrap());
    world.stage.put(&names::lease("old"), lease).await.unwrap();
    world.clock.advance(30 * HOUR);
    let collected = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!((collected.runs, collected.kept_runs), (vec!["old".to_owned()], 0));
}

#[tokio::test]
async fn undecodable_manifest_keeps_all_blobs() {
    let world = World::new();
    submit_old_run(&world).await;
    world.stage.put(&names::manifest("new"), Bytes::from_static(b"?")).await.unwrap();
    let collected = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!(collected.unreadable, ["memory://simulated/runs/new/manifest"]);
    assert_eq!((collected.runs.len(), collected.blobs.len()), (1, 0));
}

#[tokio::test]
async fn young_run_is_never_removed() {
    let world = World::new();
    world.submit(0, "young".into(), 1).await;
    world.clock.advance(20 * HOUR);
    let collected = world.stage.collect(HOUR, CollectMode::Delete).await.unwrap();
    let kept = CollectReport { kept_runs: 1, kept_blobs: 1, ..CollectReport::default() };
    assert_eq!(collected, kept);
}

#[tokio::test]
async fn run_that_cannot_be_removed_does_not_keep_the_others() {
    let world = World::new();
    world.submit(0, "a".into(), 0b01).await;
    world.submit(0, "b".into(), 0b10).await;
    world.clock.advance(30 * HOUR);
    world.deny("runs/a");
    let collected = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!((collected.runs.as_slice(), collected.blobs.len()), (&["b".to_owned()][..], 2));
    let [failure] = &collected.failures[..] else { panic!("{collected:?}") };
    assert!(
        failure.contains("memory://simulated/runs/a") && failure.contains("not yours"),
        "{failure}"
    );
}

#[tokio::test]
async fn blob_that_cannot_be_removed_does_not_keep_the_others() {
    let world = World::new();
    submit_old_run(&world).await;
    world.deny(&names::blob(&hype_wire::Digest::of(&world.blobs[0])));
    let collected = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!((collected.blobs.len(), collected.failures.len()), (1, 1), "{collected:?}");
}

#[tokio::test]
async fn run_is_kept_while_its_lease_cannot_be_read() {
    let world = World::new();
    submit_old_run(&world).await;
    world.renew("old".into()).await;
    world.clock.advance(30 * HOUR);
    world.deny("runs/old/lease");
    let kept = world.stage.kept_runs().await.unwrap();
    assert_eq!(Vec::from_iter(kept), ["old"]);
    let collected = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    let counts = (collected.runs.len(), collected.kept_runs, collected.kept_blobs);
    assert_eq!((counts, collected.failures.len()), ((0, 1, 2), 1), "{collected:?}");
}

#[tokio::test]
async fn all_blobs_are_kept_while_a_manifest_cannot_be_read() {
    let world = World::new();
    submit_old_run(&world).await;
    world.submit(0, "young".into(), 1).await;
    world.deny("runs/young/manifest");
    let collected = world.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
    assert_eq!(collected.runs, ["old"]);
    assert_eq!((collected.blobs.len(), collected.failures.len()), (0, 1), "{collected:?}");
}
