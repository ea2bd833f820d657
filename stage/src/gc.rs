//! The removal of what nobody needs any more, while others go on submitting.
//!
//! A run is needed while it is young, or has a manifest and a lease that says that it was detached; a blob while it is
//! young, or a manifest that stays names it. Young is what the store says was written less than an
//! age ago, by the store's own clock: each collection writes an object and looks when that was.
//!
//! Submitters keep their side of it: a manifest is written before its blobs are looked for, and a
//! blob that is older than [`REFRESH_AFTER`] is written again, with the same bytes. So what a
//! collection finds old and unnamed is, but for a submit that came between its last look and the
//! removal, needed by nobody; and that submit finds the blob missing and stages it again.

#[cfg(test)]
mod interleavings;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, SystemTime};

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use hype_wire::{Digest, Lease, RunManifest, names};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use crate::error::{StageError, StageErrorKind};
use crate::refusal::Request;
use crate::stage::Stage;

/// The least age of what may be removed: older than any submit that is still under way.
pub const LEAST_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How old a blob may be for a submit to rely on it as it is: half of [`LEAST_AGE`].
pub const REFRESH_AFTER: Duration = Duration::from_secs(LEAST_AGE.as_secs() / 2);

/// How many objects are looked at or removed at once.
const AT_ONCE: usize = 32;

/// What happens to what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is removed.
    Real,
    /// It is only told.
    DryRun,
}

/// What a collection removed, or would have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The names of the runs.
    pub runs: Vec<String>,
    /// The digests of the blobs.
    pub blobs: Vec<Digest>,
    /// How many bytes all of that has.
    pub bytes: u64,
    /// How many runs stay.
    pub kept_runs: usize,
    /// The manifests that could not be read. While there are any, all blobs stay, since nobody
    /// knows which of them those manifests name.
    pub unreadable: Vec<String>,
}

/// Runs by their names.
type Runs = BTreeMap<String, Run>;

/// What stands under the name of one run.
#[derive(Debug, Default)]
struct Run {
    newest: Option<SystemTime>,
    bytes: u64,
    has_manifest: bool,
    has_lease: bool,
}

impl Run {
    fn add(&mut self, run_id: &str, object: &ObjectMeta) {
        let name = object.location.as_ref();
        self.newest = self.newest.max(Some(object.last_modified.into()));
        self.bytes += object.size;
        self.has_manifest |= name == names::manifest(run_id);
        self.has_lease |= name == names::lease(run_id);
    }

    fn is_young(&self, cutoff: SystemTime) -> bool {
        self.newest >= Some(cutoff)
    }
}

impl Stage {
    /// Removes the runs and blobs that are older than `age`, or than [`LEAST_AGE`] if that is more,
    /// and needed by nobody.
    ///
    /// # Errors
    ///
    /// When the store can't be listed, read or written.
    pub async fn collect(&self, age: Duration, removal: Removal) -> Result<Collected, StageError> {
        let now = self.now().await?;
        let cutoff = now.checked_sub(age.max(LEAST_AGE)).unwrap_or(SystemTime::UNIX_EPOCH);
        // Blobs before runs: a run that begins later finds its old blobs by itself.
        let old_blobs = self.old_blobs(cutoff).await?;
        let (kept, old) = self.sorted_runs(cutoff).await?;
        let (named, unreadable) = self.named_blobs(&kept).await?;
        let kept_runs = kept.len();
        let mut collected = Collected { kept_runs, unreadable, ..Collected::default() };
        for (run_id, run) in old {
            if removal == Removal::Real {
                self.remove_run(&run_id).await?;
            }
            collected.runs.push(run_id);
            collected.bytes += run.bytes;
        }
        if collected.unreadable.is_empty() {
            let unnamed = old_blobs.into_iter().filter(|(blob, _)| !named.contains(blob));
            let removed = stream::iter(unnamed).map(async |(blob, size)| {
                let is_gone = self.remove_old_blob(&blob, cutoff, removal).await?;
                Ok::<_, StageError>(is_gone.then_some((blob, size)))
            });
            let mut removed = removed.buffered(AT_ONCE);
            while let Some(found) = removed.try_next().await? {
                collected.blobs.extend(found.map(|(blob, _)| blob));
                collected.bytes += found.map_or(0, |(_, size)| size);
            }
        }
        Ok(collected)
    }

    /// The names of the runs that are kept at the least age: young ones and detached ones.
    ///
    /// # Errors
    ///
    /// When the store can't be listed, read or written.
    pub async fn kept_runs(&self) -> Result<BTreeSet<String>, StageError> {
        let cutoff = self.now().await?.checked_sub(LEAST_AGE).unwrap_or(SystemTime::UNIX_EPOCH);
        let (kept, _) = self.sorted_runs(cutoff).await?;
        Ok(kept.into_keys().collect())
    }

    /// What the store's clock says.
    async fn now(&self) -> Result<SystemTime, StageError> {
        let name = names::CLOCK;
        self.put(name, bytes::Bytes::new()).await?;
        match self.head(name).await? {
            Some(object) => Ok(object.last_modified.into()),
            None => Err(StageError::new(
                StageErrorKind::Unavailable,
                format!("{} was written and is not there", self.url_of(name)),
            )),
        }
    }

    async fn old_blobs(&self, cutoff: SystemTime) -> Result<Vec<(Digest, u64)>, StageError> {
        let old = async |object: ObjectMeta| {
            let digest = names::split_blob(object.location.as_ref());
            let is_old = SystemTime::from(object.last_modified) < cutoff;
            Ok(digest.filter(|_| is_old).map(|digest| (digest, object.size)))
        };
        self.objects(names::BLOBS, |objects| objects.try_filter_map(old).try_collect()).await
    }

    async fn runs(&self) -> Result<Runs, StageError> {
        let fold = async |mut runs: Runs, object: ObjectMeta| {
            if let Some(run_id) = names::split_run(object.location.as_ref()) {
                runs.entry(run_id.to_owned()).or_default().add(run_id, &object);
            }
            Ok(runs)
        };
        self.objects(names::RUNS, |objects| objects.try_fold(Runs::new(), fold)).await
    }

    /// The runs that stay, and those that may go.
    async fn sorted_runs(&self, cutoff: SystemTime) -> Result<(Runs, Runs), StageError> {
        let (mut kept, mut old) = (Runs::new(), Runs::new());
        for (run_id, run) in self.runs().await? {
            // One without a manifest was never staged, and its lease is for nobody.
            let may_be_detached = run.has_manifest && run.has_lease;
            let stays =
                run.is_young(cutoff) || (may_be_detached && self.is_detached(&run_id).await?);
            if stays { &mut kept } else { &mut old }.insert(run_id, run);
        }
        Ok((kept, old))
    }

    /// Whether a run's lease says that its owner left it to somebody else, or says what we can't
    /// read.
    async fn is_detached(&self, run_id: &str) -> Result<bool, StageError> {
        match self.get(&names::lease(run_id), Lease::MAX_SIZE).await {
            Ok(bytes) => Ok(Lease::from_bytes(&bytes).map_or(true, |lease| lease.detached)),
            Err(error) if error.kind() == StageErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What `read` makes of all objects below `prefix`, from their first again if the list breaks off.
    async fn objects<T, F: Future<Output = object_store::Result<T>>>(
        &self,
        prefix: &str,
        read: impl Fn(BoxStream<'static, object_store::Result<ObjectMeta>>) -> F,
    ) -> Result<T, StageError> {
        let path = Path::from(prefix);
        let listed = self.persistence.of(|| read(self.store.list(Some(&path)))).await;
        listed.map_err(|error| self.failed(Request::List, prefix, error))
    }

    /// The blobs that the manifests of the runs that stay name, and those that can't be read.
    async fn named_blobs(&self, kept: &Runs) -> Result<(HashSet<Digest>, Vec<String>), StageError> {
        let manifests = kept.iter().filter(|(_, run)| run.has_manifest);
        let manifests = manifests.map(|(run_id, _)| names::manifest(run_id));
        let mut read = stream::iter(manifests)
            .map(async |name| match self.get(&name, RunManifest::MAX_SIZE).await {
                Ok(bytes) => Ok(Some((name, RunManifest::from_bytes(&bytes)))),
                // Its run has been collected by its owner meanwhile.
                Err(error) if error.kind() == StageErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            })
            .buffered(AT_ONCE);
        let (mut named, mut unreadable) = (HashSet::new(), Vec::new());
        while let Some(found) = read.try_next().await? {
            match found {
                None => {}
                Some((_, Ok(manifest))) => {
                    named.extend(manifest.job.blobs().map(|blob| blob.digest))
                }
                Some((name, Err(_))) => unreadable.push(self.url_of(&name)),
            }
        }
        Ok((named, unreadable))
    }

    /// Removes a blob unless somebody has written it again; whether it is gone.
    async fn remove_old_blob(
        &self,
        blob: &Digest,
        cutoff: SystemTime,
        removal: Removal,
    ) -> Result<bool, StageError> {
        let name = names::blob(blob);
        match self.head(&name).await? {
            Some(object) if SystemTime::from(object.last_modified) < cutoff => {}
            _ => return Ok(false),
        }
        if removal == Removal::Real {
            let path = Path::from(name.as_str());
            match self.persistence.of(|| self.store.delete(&path)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed(Request::Remove, &name, error)),
            }
        }
        Ok(true)
    }
}
