//! A simulated stage with a simulated clock, for tests of garbage collections.

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
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::{CollectMode, CollectReport, MIN_COLLECT_AGE};
use crate::error::StageErrorKind;
use crate::stage::Stage;
use crate::transfer::Source;

pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);

/// A store with a simulated clock, which yields to other tasks before each request.
#[derive(Debug)]
struct SimulatedStore {
    store: InMemory,
    clock: Arc<Clock>,
    written: Mutex<HashMap<Path, u64>>,
    denied: Denied,
}

/// The starts of the paths of objects that can't be read or removed.
type Denied = Arc<Mutex<Vec<String>>>;

/// A simulated clock, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicU64);

impl Clock {
    pub(super) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl fmt::Display for SimulatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedStore")
    }
}

impl SimulatedStore {
    fn record_write(&self, path: &Path) {
        let now = self.clock.0.load(Ordering::Relaxed);
        self.written.lock().unwrap().insert(path.clone(), now);
    }

    fn with_time(&self, mut object: ObjectMeta) -> ObjectMeta {
        let millis = self.written.lock().unwrap()[&object.location];
        object.last_modified = (SystemTime::UNIX_EPOCH + Duration::from_millis(millis)).into();
        object
    }
}

#[async_trait::async_trait]
impl ObjectStore for SimulatedStore {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        tokio::task::yield_now().await;
        let written = self.store.put_opts(path, payload, options).await;
        if written.is_ok() {
            self.record_write(path);
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
        check(&self.denied, path)?;
        let mut found = self.store.get_opts(path, options).await?;
        found.meta = self.with_time(found.meta);
        Ok(found)
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let denied = Arc::clone(&self.denied);
        let paths = paths.then(async |path| {
            tokio::task::yield_now().await;
            path
        });
        let paths =
            paths.map(move |path| path.and_then(|path| check(&denied, &path).map(|()| path)));
        self.store.delete_stream(paths.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let objects = self.store.list(prefix).now_or_never_all();
        let objects: Vec<_> =
            objects.into_iter().map(|object| object.map(|object| self.with_time(object))).collect();
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

fn check(denied: &Denied, path: &Path) -> Result<()> {
    let mut starts = denied.lock().unwrap().clone().into_iter();
    match starts.any(|start| path.as_ref().starts_with(&start)) {
        true => Err(Error::PermissionDenied { path: path.to_string(), source: "not yours".into() }),
        false => Ok(()),
    }
}

/// Collects a whole listing immediately, so that it doesn't include later writes.
trait AllNow {
    fn now_or_never_all(self) -> Vec<Result<ObjectMeta>>;
}

impl AllNow for BoxStream<'static, Result<ObjectMeta>> {
    fn now_or_never_all(self) -> Vec<Result<ObjectMeta>> {
        self.collect().now_or_never().expect("a store in memory never waits")
    }
}

/// A deterministic random number generator.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

pub(super) type Task<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Polls random tasks until all have ended.
pub(super) fn interleave(mut tasks: Vec<Task<'_>>, random: &mut Random, clock: &Clock) {
    let mut context = Context::from_waker(Waker::noop());
    while !tasks.is_empty() {
        let index = random.below(tasks.len() as u64) as usize;
        if let Poll::Ready(()) = tasks[index].as_mut().poll(&mut context) {
            drop(tasks.swap_remove(index));
        }
        clock.advance(Duration::from_secs(random.below(300)));
    }
}

/// The simulation: a stage, the blobs that submits use, and counts of what happened.
pub(super) struct World {
    pub(super) stage: Stage,
    pub(super) clock: Arc<Clock>,
    denied: Denied,
    pub(super) blobs: Vec<Bytes>,
    /// Runs whose blobs are staged and that have not started.
    pub(super) queued: RefCell<Vec<(String, u64)>>,
    pub(super) ran: RefCell<usize>,
    pub(super) restaged: RefCell<usize>,
    pub(super) collected: RefCell<CollectReport>,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = Arc::new(Clock::default());
        clock.advance(1_000 * HOUR);
        let denied = Denied::default();
        let store = SimulatedStore {
            store: InMemory::new(),
            clock: Arc::clone(&clock),
            written: Mutex::default(),
            denied: Arc::clone(&denied),
        };
        Self {
            stage: Stage::of(Arc::new(store), "memory://simulated"),
            clock,
            denied,
            blobs: (0..6).map(|number| Bytes::from(format!("blob {number}"))).collect(),
            queued: RefCell::default(),
            ran: RefCell::default(),
            restaged: RefCell::default(),
            collected: RefCell::default(),
        }
    }

    /// Submits a run after `steps` steps. It uses the blobs whose bits are set.
    pub(super) async fn submit(&self, steps: u64, run_id: String, bits: u64) {
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
        let used = self.used(bits);
        let component = ComponentRef { name: "simulated.wasm".into(), blob: Blob::of(used[0]) };
        let mut manifest = RunManifest::new(
            run_id.parse().unwrap(),
            Job::new(component),
            Call::closure("f", Payload::Inline(Vec::new().into())),
        );
        let files =
            used.iter().map(|bytes| File { path: "/f".parse().unwrap(), blob: Blob::of(bytes) });
        manifest.job.files = files.collect();
        let bytes = Bytes::from(manifest.to_bytes().unwrap());
        self.stage.put(&names::manifest(&run_id), bytes).await.unwrap();
        self.put_blobs(&used).await;
        self.queued.borrow_mut().push((run_id, bits));
    }

    /// Starts a run, any time after its submit.
    pub(super) async fn run(&self, run_id: String, bits: u64) {
        let used = self.used(bits);
        *self.ran.borrow_mut() += 1;
        if !self.finds(&used).await {
            *self.restaged.borrow_mut() += 1;
            self.put_blobs(&used).await;
            assert!(self.finds(&used).await, "{run_id} misses a blob again");
        }
    }

    /// Renews the lease of a waiting run.
    pub(super) async fn renew(&self, run_id: String) {
        let lease = Lease::new(run_id.parse().unwrap(), "f", "owner", HOUR).to_bytes().unwrap();
        self.stage.put(&names::lease(&run_id), lease.into()).await.unwrap();
    }

    /// Denies reads and removals of the objects whose paths begin with `start`.
    pub(super) fn deny(&self, start: &str) {
        self.denied.lock().unwrap().push(start.to_owned());
    }

    fn used(&self, bits: u64) -> Vec<&Bytes> {
        (0..).zip(&self.blobs).filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, b)| b).collect()
    }

    async fn put_blobs(&self, used: &[&Bytes]) {
        for bytes in used {
            let source = Source::bytes(Bytes::clone(bytes));
            self.stage.put_blob_at_time(&Blob::of(bytes), &source, self.clock.now()).await.unwrap();
        }
    }

    /// Returns whether the stage has all blobs that a run uses.
    async fn finds(&self, used: &[&Bytes]) -> bool {
        for bytes in used {
            // Not `get_blob`, which spawns tasks that the simulation doesn't control.
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

    pub(super) async fn collect(&self) {
        let collected = self.stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await.unwrap();
        let mut all = self.collected.borrow_mut();
        all.runs.extend(collected.runs);
        all.blobs.extend(collected.blobs);
    }
}
