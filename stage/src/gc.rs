//! The garbage collection of old runs and unused blobs, concurrent with submitters.
//!
//! A run is kept while it is young, or if it has a manifest and a lease that marks it as detached. A blob is
//! kept while it is young, or if the manifest of a kept run names it. An object is young if it was written less
//! than an age ago by the store's own clock: each collection writes an object and reads its time.
//!
//! Submitters follow two rules: they write a manifest before they look for its blobs, and they rewrite a blob
//! that is older than [`REFRESH_AFTER`]. So no run needs an old blob that no manifest names, except for a race:
//! a submit between the last check of a blob and its removal. The run of that submit finds the blob missing,
//! and its submitter stages the blob again.

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod simulation;
mod uploads;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, SystemTime};

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use hype_wire::{Digest, Lease, ObjectName, RunManifest, names, one_line};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use crate::error::{StageError, StageErrorKind};
use crate::stage::Stage;
use crate::store_error::Operation;

/// The minimum age of objects that a collection removes: 24 hours, longer than any submit in progress.
///
/// ```
/// use hype_stage::{MIN_COLLECT_AGE, REFRESH_AFTER};
///
/// assert_eq!(MIN_COLLECT_AGE, 2 * REFRESH_AFTER);
/// ```
pub const MIN_COLLECT_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The age after which a submit uploads an existing blob again: half of [`MIN_COLLECT_AGE`].
pub const REFRESH_AFTER: Duration = Duration::from_secs(MIN_COLLECT_AGE.as_secs() / 2);

/// The maximum number of concurrent requests of a collection.
const CONCURRENCY: usize = 32;

/// The mode of a garbage collection ([`Stage::collect`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectMode {
    /// Remove old runs and unused blobs.
    Delete,
    /// Report what would be removed, without removing it.
    DryRun,
}

/// The report of a garbage collection ([`Stage::collect`]): what it removed, or would remove in a dry run.
///
/// ```
/// use hype_stage::{CollectMode, MIN_COLLECT_AGE, Stage};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), hype_stage::StageError> {
/// let stage = Stage::open("memory://docs/collect-report")?;
/// let report = stage.collect(MIN_COLLECT_AGE, CollectMode::Delete).await?;
/// println!("removed {} runs and {} blobs", report.runs.len(), report.blobs.len());
/// assert_eq!(report.bytes, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectReport {
    /// The names of the removed runs.
    pub runs: Vec<String>,
    /// The digests of the removed blobs.
    pub blobs: Vec<Digest>,
    /// The total size of the removed objects and files, in bytes.
    pub bytes: u64,
    /// The paths of the removed files of interrupted uploads, below the directory of the stage.
    pub uploads: Vec<String>,
    /// The number of runs that are kept: those that are younger than the age, and detached runs.
    pub kept_runs: usize,
    /// The number of runs that are kept only because they are detached.
    pub kept_detached: usize,
    /// The number of blobs that are kept: those that are younger than the age, and those that a kept run needs.
    pub kept_blobs: usize,
    /// The number of blobs that are kept only because a kept run needs them, or may need them.
    pub kept_needed: usize,
    /// The number of files of unfinished uploads that are kept, since they are younger than the age.
    pub kept_uploads: usize,
    /// The URLs of manifests that can't be decoded. If there are any, all blobs are kept, since these
    /// manifests may name them.
    pub unreadable: Vec<String>,
    /// The reasons why objects could not be removed or read, each with the object's URL. These objects are kept.
    pub failures: Vec<String>,
}

/// Runs by name.
type Runs = BTreeMap<String, Run>;

/// A summary of a run's objects.
#[derive(Debug, Default, Clone)]
struct Run {
    newest: Option<SystemTime>,
    bytes: u64,
    has_manifest: bool,
    has_lease: bool,
    /// Whether it has staged a map.
    has_map: bool,
}

impl Run {
    fn add(&mut self, run_id: &str, object: &ObjectMeta) {
        let name = object.location.as_ref();
        self.newest = self.newest.max(Some(object.last_modified.into()));
        self.bytes += object.size;
        self.has_manifest |= name == names::manifest(run_id);
        self.has_lease |= name == names::lease(run_id);
        self.has_map |= ObjectName::parse(name) == Some(ObjectName::OfMap(run_id));
    }

    fn is_young(&self, cutoff: SystemTime) -> bool {
        self.newest >= Some(cutoff)
    }
}

impl Stage {
    /// Removes the runs and unused blobs that are older than `age`, at least [`MIN_COLLECT_AGE`]. Keeps
    /// detached runs and their blobs. An object that can't be removed or read doesn't stop the collection.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can't be listed or its clock can't be read.
    ///
    /// ```
    /// use hype_stage::{CollectMode, CollectReport, MIN_COLLECT_AGE, Stage};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = Stage::open("memory://docs/collect")?;
    /// stage.put("runs/run-1/outcome", "bytes".into()).await?;
    /// let report = stage.collect(MIN_COLLECT_AGE, CollectMode::DryRun).await?;
    /// assert_eq!(report, CollectReport { kept_runs: 1, ..CollectReport::default() });
    /// # Ok(())
    /// # }
    /// ```
    pub async fn collect(
        &self,
        age: Duration,
        mode: CollectMode,
    ) -> Result<CollectReport, StageError> {
        let now = self.now().await?;
        let cutoff = now.checked_sub(age.max(MIN_COLLECT_AGE)).unwrap_or(SystemTime::UNIX_EPOCH);
        // List blobs before runs: a run that starts later refreshes its old blobs.
        let (young_blobs, old_blobs) = self.blobs_by_age(cutoff).await?;
        let mut report = CollectReport::default();
        let (kept, old) = self.partition_runs(cutoff, &mut report.failures).await?;
        report.kept_runs = kept.len();
        report.kept_detached = kept.values().filter(|run| !run.is_young(cutoff)).count();
        let named = self.named_blobs(&kept, &mut report).await;
        self.collect_runs(old, mode, &mut report).await;
        let are_known = report.unreadable.is_empty();
        let is_unnamed = |(blob, _): &(Digest, u64)| are_known && !named.contains(blob);
        let (unnamed, needed): (Vec<_>, Vec<_>) = old_blobs.into_iter().partition(is_unnamed);
        report.kept_needed = needed.len();
        report.kept_blobs = young_blobs + needed.len();
        self.collect_blobs(unnamed, cutoff, mode, &mut report).await;
        if let Err(error) = self.collect_uploads(cutoff, mode, &mut report).await {
            report.failures.push(one_line(&error));
        }
        Ok(report)
    }

    async fn collect_runs(&self, old: Runs, mode: CollectMode, report: &mut CollectReport) {
        for (run_id, run) in old {
            let removed = match mode {
                CollectMode::Delete => self.remove_old_run(&run_id, &run).await,
                CollectMode::DryRun => Ok(()),
            };
            match removed {
                Ok(()) => {
                    report.runs.push(run_id);
                    report.bytes += run.bytes;
                }
                Err(error) => report.failures.push(one_line(&error)),
            }
        }
    }

    async fn remove_old_run(&self, run_id: &str, run: &Run) -> Result<(), StageError> {
        // The map first: without its run, an interrupted removal would leave it to the next collection.
        if run.has_map {
            self.remove_map(run_id).await?;
        }
        self.remove_run(run_id).await
    }

    async fn collect_blobs(
        &self,
        unnamed: Vec<(Digest, u64)>,
        cutoff: SystemTime,
        mode: CollectMode,
        report: &mut CollectReport,
    ) {
        let mut removed = stream::iter(unnamed)
            .map(async |(blob, size)| (self.remove_old_blob(&blob, cutoff, mode).await, blob, size))
            .buffered(CONCURRENCY);
        while let Some((is_removed, blob, size)) = removed.next().await {
            match is_removed {
                Ok(true) => {
                    report.blobs.push(blob);
                    report.bytes += size;
                }
                // A submitter has rewritten it.
                Ok(false) => report.kept_blobs += 1,
                Err(error) => report.failures.push(one_line(&error)),
            }
        }
    }

    /// Returns the names of the runs that a collection with [`MIN_COLLECT_AGE`] keeps: young and detached runs.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can't be listed, read or written.
    ///
    /// ```
    /// use hype_stage::Stage;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = Stage::open("memory://docs/kept-runs")?;
    /// stage.put("runs/run-1/outcome", "bytes".into()).await?;
    /// assert_eq!(Vec::from_iter(stage.kept_runs().await?), ["run-1"]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn kept_runs(&self) -> Result<BTreeSet<String>, StageError> {
        let cutoff =
            self.now().await?.checked_sub(MIN_COLLECT_AGE).unwrap_or(SystemTime::UNIX_EPOCH);
        // A run whose lease can't be read is kept.
        let (kept, _) = self.partition_runs(cutoff, &mut Vec::new()).await?;
        Ok(kept.into_keys().collect())
    }

    /// Returns the time of the store's clock, which it reads by writing an object.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can't be written or read.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/now")?;
    /// assert!(stage.now().await? <= stage.now().await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn now(&self) -> Result<SystemTime, StageError> {
        let name = names::CLOCK;
        self.put(name, bytes::Bytes::new()).await?;
        match self.head(name).await? {
            Some(object) => Ok(object.last_modified.into()),
            None => Err(StageError::new(
                StageErrorKind::Unavailable,
                format!("{} was written, but does not exist", self.url_of(name)),
            )),
        }
    }

    /// Returns the number of blobs that are young, and the other ones with their sizes.
    async fn blobs_by_age(
        &self,
        cutoff: SystemTime,
    ) -> Result<(usize, Vec<(Digest, u64)>), StageError> {
        let add = async |(mut young, mut old): (usize, Vec<_>), object: ObjectMeta| {
            if let Some(ObjectName::Blob(digest)) = ObjectName::parse(object.location.as_ref()) {
                match SystemTime::from(object.last_modified) < cutoff {
                    true => old.push((digest, object.size)),
                    false => young += 1,
                }
            }
            Ok((young, old))
        };
        self.objects(names::BLOBS, |objects| objects.try_fold((0, Vec::new()), add)).await
    }

    /// Returns the runs that have objects, views, or entries in the index of live runs.
    async fn runs(&self) -> Result<Runs, StageError> {
        let fold = async |mut runs: Runs, object: ObjectMeta| {
            if let Some(
                ObjectName::OfRun(run_id) | ObjectName::OfMap(run_id) | ObjectName::Live(run_id),
            ) = ObjectName::parse(object.location.as_ref())
            {
                runs.entry(run_id.to_owned()).or_default().add(run_id, &object);
            }
            Ok(runs)
        };
        let mut runs = Runs::new();
        for prefix in [names::LIVE, names::RUNS, names::MAPS] {
            let known = &runs;
            runs = self.objects(prefix, |objects| objects.try_fold(known.clone(), fold)).await?;
        }
        for (run_id, modified) in self.runs_with_views().await? {
            let run = runs.entry(run_id).or_default();
            run.newest = run.newest.max(Some(modified));
        }
        Ok(runs)
    }

    /// Returns the runs to keep and the runs to remove. A run whose lease can't be read is kept, and added to `failures`.
    async fn partition_runs(
        &self,
        cutoff: SystemTime,
        failures: &mut Vec<String>,
    ) -> Result<(Runs, Runs), StageError> {
        let (mut kept, mut old) = (Runs::new(), Runs::new());
        for (run_id, run) in self.runs().await? {
            // A run without a manifest was never staged completely, so its lease has no meaning.
            let may_be_detached = run.has_manifest && run.has_lease && !run.is_young(cutoff);
            let is_detached = match may_be_detached {
                true => self.is_detached(&run_id).await.unwrap_or_else(|error| {
                    failures.push(one_line(&error));
                    true
                }),
                false => false,
            };
            let is_kept = run.is_young(cutoff) || is_detached;
            if is_kept { &mut kept } else { &mut old }.insert(run_id, run);
        }
        Ok((kept, old))
    }

    /// Returns whether a run's lease marks it as detached. An undecodable lease counts as detached.
    async fn is_detached(&self, run_id: &str) -> Result<bool, StageError> {
        match self.get(&names::lease(run_id), Lease::MAX_SIZE).await {
            Ok(bytes) => Ok(Lease::from_bytes(&bytes).map_or(true, |lease| lease.detached)),
            Err(error) if error.kind() == StageErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads the list of all objects below `prefix` by `read`, and restarts it if the list breaks off.
    pub(crate) async fn objects<T, F: Future<Output = object_store::Result<T>>>(
        &self,
        prefix: &str,
        read: impl Fn(BoxStream<'static, object_store::Result<ObjectMeta>>) -> F,
    ) -> Result<T, StageError> {
        let path = Path::from(prefix);
        let listed = self.retry.run(|| read(self.store.list(Some(&path)))).await;
        listed.map_err(|error| self.failed(Operation::List, prefix, error))
    }

    /// Returns the blobs named by the manifests of the kept runs. Adds the URLs of manifests that can't be read or decoded
    /// to `report`.
    async fn named_blobs(&self, kept: &Runs, report: &mut CollectReport) -> HashSet<Digest> {
        let names = kept
            .iter()
            .filter(|(_, run)| run.has_manifest)
            .map(|(run_id, _)| names::manifest(run_id));
        let mut manifests = stream::iter(names)
            .map(async |name| (self.get(&name, RunManifest::MAX_SIZE).await, name))
            .buffered(CONCURRENCY);
        let mut named = HashSet::new();
        while let Some((manifest, name)) = manifests.next().await {
            match manifest.map(|bytes| RunManifest::from_bytes(&bytes)) {
                Ok(Ok(manifest)) => named.extend(manifest.job.blobs().map(|blob| blob.digest)),
                Ok(Err(_)) => report.unreadable.push(self.url_of(&name)),
                // The run's owner has removed it meanwhile.
                Err(error) if error.kind() == StageErrorKind::NotFound => {}
                Err(error) => {
                    report.unreadable.push(self.url_of(&name));
                    report.failures.push(one_line(&error));
                }
            }
        }
        named
    }

    /// Removes a blob unless a submitter has rewritten it. Returns whether it is removed.
    async fn remove_old_blob(
        &self,
        blob: &Digest,
        cutoff: SystemTime,
        mode: CollectMode,
    ) -> Result<bool, StageError> {
        let name = names::blob(blob);
        match self.head(&name).await? {
            Some(object) if SystemTime::from(object.last_modified) < cutoff => {}
            _ => return Ok(false),
        }
        if mode == CollectMode::Delete {
            let path = Path::from(name.as_str());
            match self.retry.run(|| self.store.delete(&path)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed(Operation::Remove, &name, error)),
            }
        }
        Ok(true)
    }
}
