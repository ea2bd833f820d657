//! Lists of runs, and dated reads of their objects.

use std::collections::BTreeSet;
use std::time::SystemTime;

use bytes::Bytes;
use futures::TryStreamExt;
use hype_wire::{ObjectName, names};
use object_store::ObjectMeta;

use crate::error::StageError;
use crate::stage::Stage;

impl Stage {
    /// Returns the ids in the index of live runs. A run may have ended, or be gone, and its entry remains.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can't be listed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/live-runs")?;
    /// stage.put("live/run-1", "entry".into()).await?;
    /// assert_eq!(Vec::from_iter(stage.live_runs().await?), ["run-1"]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn live_runs(&self) -> Result<BTreeSet<String>, StageError> {
        self.ids_below(names::LIVE).await
    }

    /// Returns the ids of all runs that have objects. The whole stage is listed, except for its blobs.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can't be listed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/all-runs")?;
    /// stage.put("runs/run-1/lease", "lease".into()).await?;
    /// assert_eq!(Vec::from_iter(stage.all_runs().await?), ["run-1"]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn all_runs(&self) -> Result<BTreeSet<String>, StageError> {
        let mut all = self.ids_below(names::RUNS).await?;
        all.extend(self.live_runs().await?);
        Ok(all)
    }

    /// Returns the segments and chunks of a staged map that have results.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can't be listed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/map-outs")?;
    /// stage.put("maps/run-1/out/2-7", "results".into()).await?;
    /// assert_eq!(Vec::from_iter(stage.map_outs("run-1").await?), [(2, 7)]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn map_outs(&self, map_id: &str) -> Result<BTreeSet<(u64, u32)>, StageError> {
        let fold = async |mut outs: BTreeSet<(u64, u32)>, object: ObjectMeta| {
            let name = object.location.filename().and_then(names::split_map_out);
            outs.extend(name);
            Ok(outs)
        };
        self.objects(&names::map_outs(map_id), |objects| objects.try_fold(BTreeSet::new(), fold))
            .await
    }

    /// Returns the indexes of the first items of the segments of a staged map.
    ///
    /// # Errors
    ///
    /// Returns an error if the store can't be listed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/map-plans")?;
    /// stage.put("maps/run-1/plan/4096", "items".into()).await?;
    /// assert_eq!(Vec::from_iter(stage.map_plans("run-1").await?), [4096]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn map_plans(&self, map_id: &str) -> Result<BTreeSet<u64>, StageError> {
        let fold = async |mut firsts: BTreeSet<u64>, object: ObjectMeta| {
            firsts.extend(object.location.filename().and_then(names::parse_map_plan));
            Ok(firsts)
        };
        self.objects(&names::map_plans(map_id), |objects| objects.try_fold(BTreeSet::new(), fold))
            .await
    }

    async fn ids_below(&self, prefix: &str) -> Result<BTreeSet<String>, StageError> {
        let fold = async |mut ids: BTreeSet<String>, object: ObjectMeta| {
            if let Some(ObjectName::OfRun(id) | ObjectName::Live(id)) =
                ObjectName::parse(object.location.as_ref())
                && !ids.contains(id)
            {
                ids.insert(id.to_owned());
            }
            Ok(ids)
        };
        self.objects(prefix, |objects| objects.try_fold(BTreeSet::new(), fold)).await
    }

    /// Reads the object `name`, and returns it with the time at which it was written, by the store's clock
    /// ([`now`](Self::now)); `None` if it is missing. An object of more than `at_most` bytes is rejected before it is
    /// read.
    ///
    /// # Errors
    ///
    /// Returns `StageErrorKind::TooLarge`, or the error of a failed request.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hype_stage::StageError> {
    /// let stage = hype_stage::Stage::open("memory://docs/find-dated")?;
    /// stage.put("runs/run-1/lease", "bytes".into()).await?;
    /// let (bytes, written) = stage.find_dated("runs/run-1/lease", 1 << 20).await?.unwrap();
    /// assert!(bytes == "bytes" && written <= stage.now().await?);
    /// assert_eq!(stage.find_dated("runs/run-2/lease", 1 << 20).await?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn find_dated(
        &self,
        name: &str,
        at_most: u64,
    ) -> Result<Option<(Bytes, SystemTime)>, StageError> {
        match self.find_if(name, |size| size <= at_most).await? {
            Some(Ok(found)) => Ok(Some(found)),
            Some(Err(size)) => Err(StageError::too_large(&self.url_of(name), size, at_most)),
            None => Ok(None),
        }
    }
}
