//! Garbage collection of the keys of staged maps, which are of no use without their maps.

use std::time::{Duration, SystemTime};

use hype_stage::{CollectMode, Stage};
use hype_wire::names;

use crate::blocking_task::blocking;
use crate::error::Result;
use crate::run::key_store::{KeyFile, KeyStore};
use crate::runner::collected::NOT_EXPIRED;
use crate::runner::{CollectedLeftovers, labels};

/// The age from which on a key is collected if its map is not in the stage. Another stage may have the same URL on another
/// machine with the same home directory.
const MIN_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Collects the keys of maps that are not in the stage any more, and expired ones of maps in other stages.
///
/// # Errors
///
/// [`Stage`](crate::ErrorKind::Stage) if the stage can't be read.
pub(crate) async fn collect(
    keys: KeyStore,
    stage: &Stage,
    mode: CollectMode,
) -> Result<CollectedLeftovers> {
    let mut collected = CollectedLeftovers::default();
    let (now, all) = (SystemTime::now(), keys.clone());
    // A map is in the stage before it has a key.
    for (map_id, file) in blocking(move || Ok(all.files())).await? {
        let Some(of_stage) = &file.stage else { continue };
        let name = format!("key of {map_id}");
        let reason = match of_stage == stage.url() {
            true if !is_old(&file, now) => Some("it is young"),
            true if stage.has(&names::manifest(&map_id)).await? => Some("its map is in the stage"),
            false if !labels::is_expired(file.expiry.as_deref(), now) => Some(NOT_EXPIRED),
            _ => None,
        };
        match reason {
            Some(reason) => collected.keep(name, reason),
            None => {
                let removed = match mode {
                    CollectMode::Delete => delete(&keys, map_id).await,
                    CollectMode::DryRun => Ok(()),
                };
                collected.record_removal(name, removed);
            }
        }
    }
    Ok(collected)
}

/// Deletes the keys of maps that were just removed from the stage with this URL. Returns the errors.
pub(crate) async fn delete_of_removed(
    keys: &KeyStore,
    stage_url: &str,
    removed: &[String],
) -> Vec<String> {
    let (keys, stage_url, removed) = (keys.clone(), stage_url.to_owned(), removed.to_vec());
    let delete = move || {
        let is_of_map = |file: KeyFile| file.stage.as_ref() == Some(&stage_url);
        let of_maps = removed.iter().filter(|id| keys.file(id).is_some_and(is_of_map));
        let failed = of_maps.filter_map(|id| keys.delete(id).err());
        Ok(failed.map(|error| error.to_string()).collect())
    };
    blocking(delete).await.unwrap_or_else(|error| vec![error.to_string()])
}

async fn delete(keys: &KeyStore, map_id: String) -> Result<()> {
    let keys = keys.clone();
    blocking(move || keys.delete(&map_id)).await
}

fn is_old(file: &KeyFile, now: SystemTime) -> bool {
    now.duration_since(file.written).is_ok_and(|age| age >= MIN_AGE)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use hype_wire::RunKey;

    use super::*;

    #[tokio::test]
    async fn keys_without_their_map_are_collected_after_a_week() {
        let home = tempfile::tempdir().unwrap();
        let keys = KeyStore::at(&home.path().join("keys"));
        let stage = Stage::open("memory://keys-of-maps").unwrap();
        stage.put(&names::manifest("map-here"), "manifest".into()).await.unwrap();
        let later = labels::expiry(None);
        for (id, stage_url, expiry, days) in [
            ("map-gone", stage.url(), later.as_str(), 8),
            ("map-young", stage.url(), "1", 6),
            ("map-here", stage.url(), "1", 8),
            ("map-elsewhere", "file:///other", later.as_str(), 8),
            ("map-expired", "file:///other", "1", 8),
        ] {
            keys.write_of_map(id, &RunKey::new([1; 32]), expiry, stage_url).unwrap();
            let written = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
            let file = File::options().write(true).open(home.path().join("keys").join(id));
            file.unwrap().set_modified(written).unwrap();
        }
        for mode in [CollectMode::DryRun, CollectMode::Delete] {
            let collected = collect(keys.clone(), &stage, mode).await.unwrap();
            assert_eq!(collected.removed, ["key of map-expired", "key of map-gone"]);
            let kept = collected.kept.iter().map(|kept| format!("{}: {}", kept.name, kept.reason));
            let expected = [
                "key of map-elsewhere: it has not expired",
                "key of map-here: its map is in the stage",
                "key of map-young: it is young",
            ];
            assert_eq!(kept.collect::<Vec<_>>(), expected);
        }
        let left = ["map-elsewhere", "map-here", "map-young"];
        assert_eq!(keys.files().into_keys().collect::<Vec<_>>(), left);
        let removed = ["map-here", "map-elsewhere", "run-1"].map(str::to_owned);
        assert_eq!(delete_of_removed(&keys, stage.url(), &removed).await, [""; 0]);
        assert_eq!(keys.files().into_keys().collect::<Vec<_>>(), ["map-elsewhere", "map-young"]);
    }
}
