//! Collections among submits, step by step in every order that a seed gives.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use hype_wire::{Blob, Call, ComponentRef, Digest, File, Job, Lease, Payload, RunManifest, names};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::{Collected, LEAST_AGE, Removal};
use crate::error::StageErrorKind;
use crate::stage::Stage;
use crate::transfer::Source;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A store whose clock is the test's, and each of whose requests lets others go first.
#[derive(Debug)]
struct Simulated {
    store: InMemory,
    clock: Arc<Clock>,
    written: Mutex<HashMap<Path, u64>>,
}

/// Milliseconds of a time that goes on as the test says.
#[derive(Debug, Default)]
struct Clock(AtomicU64);

impl Clock {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Simulated")
    }
}

impl Simulated {
    fn note(&self, path: &Path) {
        let now = self.clock.0.load(Ordering::Relaxed);
        self.written.lock().unwrap().insert(path.clone(), now);
    }

    fn dated(&self, mut object: ObjectMeta) -> ObjectMeta {
        let millis = self.written.lock().unwrap()[&object.location];
        object.last_modified = (SystemTime::UNIX_EPOCH + Duration::from_millis(millis)).into();
        object
    }
}

#[async_trait::async_trait]
impl ObjectStore for Simulated {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        tokio::task::yield_now().await;
        let written = self.store.put_opts(path, payload, options).await;
        if written.is_ok() {
            self.note(path);
        }
        written
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        tokio::task::yield_now().await;
        let mut found = self.store.get_opts(path, options).await?;
        found.meta = self.dated(found.meta);
        Ok(found)
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let paths = paths.then(async |path| {
            tokio::task::yield_now().await;
            path
        });
        self.store.delete_stream(paths.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let objects = self.store.list(prefix).now_or_never_all();
        let objects: Vec<_> =
            objects.into_iter().map(|object| object.map(|object| self.dated(object))).collect();
        futures::stream::iter(objects)
            .then(async |object| {
                tokio::task::yield_now().await;
                object
            })
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}

/// A listing as it is now: one that is under way doesn't see what comes later.
trait AllNow {
    fn now_or_never_all(self) -> Vec<Result<ObjectMeta>>;
}

impl AllNow for BoxStream<'static, Result<ObjectMeta>> {
    fn now_or_never_all(self) -> Vec<Result<ObjectMeta>> {
        self.collect().now_or_never().expect("a store in memory never waits")
    }
}

/// The same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Goes on with one task after the other, each time any of them, until all have ended.
fn interleave(mut tasks: Vec<Task<'_>>, random: &mut Random, clock: &Clock) {
    let mut context = Context::from_waker(Waker::noop());
    while !tasks.is_empty() {
        let index = random.below(tasks.len() as u64) as usize;
        if let Poll::Ready(()) = tasks[index].as_mut().poll(&mut context) {
            drop(tasks.swap_remove(index));
        }
        clock.advance(Duration::from_secs(random.below(300)));
    }
}

/// The world: a stage, the blobs that submits use, and what came of it.
struct World {
    stage: Stage,
    clock: Arc<Clock>,
    blobs: Vec<Bytes>,
    /// Runs whose blobs are in the stage and that have not begun yet.
    queued: RefCell<Vec<(String, u64)>>,
    ran: RefCell<usize>,
    restaged: RefCell<usize>,
    collected: RefCell<Collected>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(Clock::default());
        clock.advance(1_000 * HOUR);
        let store = Simulated {
            store: InMemory::new(),
            clock: Arc::clone(&clock),
            written: Mutex::default(),
        };
        Self {
            stage: Stage::of(Arc::new(store), "memory://simulated"),
            clock,
            blobs: (0..6).map(|number| Bytes::from(format!("blob {number}"))).collect(),
            queued: RefCell::default(),
            ran: RefCell::default(),
            restaged: RefCell::default(),
            collected: RefCell::default(),
        }
    }

    /// A submit that begins after so many steps and uses the blobs whose bits are set.
    async fn submit(&self, steps: u64, run_id: String, bits: u64) {
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
        let used = self.used(bits);
        let component = ComponentRef { name: "simulated.wasm".into(), blob: Blob::of(used[0]) };
        let mut manifest = RunManifest::new(
            &run_id,
            Job::new(component),
            Call::closure("f", Payload::Inline(Vec::new().into())),
        );
        let files = used.iter().map(|bytes| File { path: "/f".into(), blob: Blob::of(bytes) });
        manifest.job.files = files.collect();
        let bytes = Bytes::from(manifest.to_bytes().unwrap());
        self.stage.put(&names::manifest(&run_id), bytes).await.unwrap();
        self.put_blobs(&used).await;
        self.queued.borrow_mut().push((run_id, bits));
    }

    /// A run that begins, however long after its submit.
    async fn run(&self, run_id: String, bits: u64) {
        let used = self.used(bits);
        *self.ran.borrow_mut() += 1;
        if !self.finds(&used).await {
            *self.restaged.borrow_mut() += 1;
            self.put_blobs(&used).await;
            assert!(self.finds(&used).await, "{run_id} misses a blob again");
        }
    }

    /// The owner of a run that still waits says so.
    async fn renew(&self, run_id: String) {
        let lease = Lease::new(&run_id, "f", "somebody", HOUR).to_bytes().unwrap();
        self.stage.put(&names::lease(&run_id), lease.into()).await.unwrap();
    }

    fn used(&self, bits: u64) -> Vec<&Bytes> {
        (0..).zip(&self.blobs).filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, b)| b).collect()
    }

    async fn put_blobs(&self, used: &[&Bytes]) {
        for bytes in used {
            let source = Source::bytes(Bytes::clone(bytes));
            self.stage.put_blob_now(&Blob::of(bytes), &source, self.clock.now()).await.unwrap();
        }
    }

    /// Whether a run finds all that it uses.
    async fn finds(&self, used: &[&Bytes]) -> bool {
        for bytes in used {
            // Not as a blob, which is read by tasks of their own.
            match self.stage.get(&names::blob(&Digest::of(bytes)), 1 << 10).await {
                Ok(found) => assert_eq!(found, **bytes),
                Err(error) => {
                    assert_eq!(error.kind(), StageErrorKind::NotFound, "{error}");
                    return false;
                }
            }
        }
        true
    }

    async fn collect(&self) {
        let collected = self.stage.collect(LEAST_AGE, Removal::Real).await.unwrap();
        let mut all = self.collected.borrow_mut();
        all.runs.extend(collected.runs);
        all.blobs.extend(collected.blobs);
    }
}

#[test]
fn no_submit_loses_anything_to_a_collection() {
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
    // Otherwise nothing was put to the test.
    assert!(collected.runs.len() > 500, "{} runs were removed", collected.runs.len());
    assert!(collected.blobs.len() > 50, "{} blobs were removed", collected.blobs.len());
    let (ran, restaged) = (*world.ran.borrow(), *world.restaged.borrow());
    // A submit that comes between a look and a removal is rare, and it does come.
    assert!((1..12).contains(&restaged), "{restaged} of {ran} runs were staged again");
}

async fn with_an_old_run(world: &World) {
    world.submit(0, "old".into(), 0b11).await;
    world.clock.advance(30 * HOUR);
}

#[tokio::test]
async fn an_old_run_goes_with_its_blobs() {
    let world = World::new();
    with_an_old_run(&world).await;
    let dry = world.stage.collect(LEAST_AGE, Removal::DryRun).await.unwrap();
    assert_eq!((dry.runs.as_slice(), dry.blobs.len()), (["old".to_owned()].as_slice(), 2));
    let real = world.stage.collect(LEAST_AGE, Removal::Real).await.unwrap();
    assert_eq!(real, dry);
    let again = world.stage.collect(LEAST_AGE, Removal::Real).await.unwrap();
    assert_eq!(again, Collected::default());
}

#[tokio::test]
async fn a_detached_run_stays_with_its_blobs() {
    let world = World::new();
    with_an_old_run(&world).await;
    let mut lease = Lease::new("old", "f", "somebody", HOUR);
    lease.detached = true;
    let lease = Bytes::from(lease.to_bytes().unwrap());
    world.stage.put(&names::lease("old"), lease).await.unwrap();
    world.clock.advance(30 * HOUR);
    let collected = world.stage.collect(LEAST_AGE, Removal::Real).await.unwrap();
    assert_eq!(collected, Collected { kept_runs: 1, ..Collected::default() });
}

/// A run that ended while it was being staged has a lease and no manifest.
#[tokio::test]
async fn a_detached_run_that_was_never_staged_goes() {
    let world = World::new();
    let mut lease = Lease::new("old", "f", "somebody", HOUR);
    lease.detached = true;
    let lease = Bytes::from(lease.to_bytes().unwrap());
    world.stage.put(&names::lease("old"), lease).await.unwrap();
    world.clock.advance(30 * HOUR);
    let collected = world.stage.collect(LEAST_AGE, Removal::Real).await.unwrap();
    assert_eq!((collected.runs, collected.kept_runs), (vec!["old".to_owned()], 0));
}

#[tokio::test]
async fn a_manifest_that_nobody_can_read_keeps_all_blobs() {
    let world = World::new();
    with_an_old_run(&world).await;
    world.stage.put(&names::manifest("new"), Bytes::from_static(b"?")).await.unwrap();
    let collected = world.stage.collect(LEAST_AGE, Removal::Real).await.unwrap();
    assert_eq!(collected.unreadable, ["memory://simulated/runs/new/manifest"]);
    assert_eq!((collected.runs.len(), collected.blobs.len()), (1, 0));
}

#[tokio::test]
async fn what_is_young_is_never_removed() {
    let world = World::new();
    world.submit(0, "young".into(), 1).await;
    world.clock.advance(20 * HOUR);
    let collected = world.stage.collect(HOUR, Removal::Real).await.unwrap();
    assert_eq!(collected, Collected { kept_runs: 1, ..Collected::default() });
}
