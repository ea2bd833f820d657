//! Garbage collection of containers, volumes and keys. A resource that can't be removed doesn't stop the collection.

use std::collections::{BTreeSet, HashSet};
use std::time::SystemTime;

use bollard::models::{ContainerSummary, Volume};
use hype_stage::CollectMode;
use hype_wire::names;

use super::daemon::ConnectedDaemon;
use super::leftovers::{containers, is_running, label, users, volumes};
use super::removal::remove_container;
use super::volumes::{is_transient, remove_volume};
use crate::error::Result;
use crate::run::key_store::{KeyFile, KeyStore};
use crate::runner::collected::{NOT_EXPIRED, OF_KEPT_RUN, PERSISTENT, RUNNING};
use crate::runner::{CollectedLeftovers, labels};

/// Garbage-collects expired, unused containers, transient volumes, and keys without a container, except those of the
/// runs `kept`.
///
/// # Errors
///
/// [`Runner`](crate::ErrorKind::Runner) if the daemon can't list containers.
pub(crate) async fn collect(
    daemon: &ConnectedDaemon,
    keys: &KeyStore,
    mode: CollectMode,
    kept: &BTreeSet<String>,
) -> Result<CollectedLeftovers> {
    let mut collected = CollectedLeftovers::default();
    let containers = containers(daemon, labels::RUN).await?;
    // A dry run removes nothing, so that what it reports as removed still exists.
    let (mut used, mut removed) = (HashSet::new(), HashSet::new());
    for container in &containers {
        match collect_container(daemon, mode, kept, container, &mut collected).await {
            true => removed.extend(container.id.as_deref()),
            false => used.extend(label(container, labels::RUN)),
        }
    }
    match volumes(daemon).await {
        Ok(volumes) => {
            for volume in &volumes {
                collect_volume(daemon, mode, &removed, volume, &mut collected).await;
            }
        }
        Err(error) => collected.failures.push(error),
    }
    collect_keys(keys, mode, kept, &used, &mut collected);
    Ok(collected)
}

/// Collects a container, and returns whether it is removed.
async fn collect_container(
    daemon: &ConnectedDaemon,
    mode: CollectMode,
    kept: &BTreeSet<String>,
    container: &ContainerSummary,
    collected: &mut CollectedLeftovers,
) -> bool {
    let (Some(id), Some(name), Some(run)) =
        (&container.id, container.names.iter().flatten().next(), run_of(container))
    else {
        return false;
    };
    let name = format!("container {}", name.trim_start_matches('/'));
    if let Some(reason) = reason_to_keep(container, run, kept) {
        collected.keep(name, reason);
        return false;
    }
    let removed = match mode {
        CollectMode::Delete => remove_container(daemon, id).await,
        CollectMode::DryRun => Ok(()),
    };
    let is_removed = removed.is_ok();
    collected.record_removal(name, removed);
    is_removed
}

/// Collects a volume that no container uses except those in `removed`, which has IDs.
async fn collect_volume(
    daemon: &ConnectedDaemon,
    mode: CollectMode,
    removed: &HashSet<&str>,
    volume: &Volume,
    collected: &mut CollectedLeftovers,
) {
    let (name, expiry) = (format!("volume {}", volume.name), volume.labels.get(labels::EXPIRY));
    match volume.labels.get(labels::VOLUME) {
        Some(_) if is_transient(volume) => {}
        Some(_) => return collected.keep(name, PERSISTENT),
        None => return,
    }
    if !labels::is_expired(expiry.map(String::as_str), SystemTime::now()) {
        return collected.keep(name, NOT_EXPIRED);
    }
    let remains =
        |user: &ContainerSummary| !user.id.as_deref().is_some_and(|id| removed.contains(id));
    let removed = match users(daemon, &volume.name).await {
        Ok(users) if users.iter().any(remains) => {
            return collected.keep(name, "a container uses it");
        }
        Ok(_) if mode == CollectMode::Delete => remove_volume(daemon, &volume.name).await,
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    collected.record_removal(name, removed);
}

/// Collects expired keys, except of the runs `used`, which have a container, and of staged maps, which need none.
fn collect_keys(
    keys: &KeyStore,
    mode: CollectMode,
    kept: &BTreeSet<String>,
    used: &HashSet<&str>,
    collected: &mut CollectedLeftovers,
) {
    let now = SystemTime::now();
    let of_runs = keys.files().into_iter().filter(|(_, file)| file.stage.is_none());
    for (run_id, KeyFile { expiry, .. }) in of_runs {
        let name = format!("key of {run_id}");
        if !labels::is_expired(expiry.as_deref(), now) {
            collected.keep(name, NOT_EXPIRED);
        } else if kept.contains(&run_id) {
            collected.keep(name, OF_KEPT_RUN);
        } else if used.contains(run_id.as_str()) {
            collected.keep(name, "its run has a container");
        } else {
            let removed = match mode {
                CollectMode::Delete => keys.delete(&run_id),
                CollectMode::DryRun => Ok(()),
            };
            collected.record_removal(name, removed);
        }
    }
}

/// Returns the run of a container of hype.
fn run_of(container: &ContainerSummary) -> Option<&str> {
    label(container, labels::RUN).filter(|run| names::is_run_id(run))
}

/// Returns the reason to keep a container of `run`, if there is one.
fn reason_to_keep(
    container: &ContainerSummary,
    run: &str,
    kept: &BTreeSet<String>,
) -> Option<&'static str> {
    match container {
        _ if is_running(container) => Some(RUNNING),
        _ if kept.contains(run) => Some(OF_KEPT_RUN),
        _ if !labels::is_expired(label(container, labels::EXPIRY), SystemTime::now()) => {
            Some(NOT_EXPIRED)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ContainerSummaryStateEnum;

    use super::*;

    fn is_collectable(container: &ContainerSummary, kept: &BTreeSet<String>) -> bool {
        run_of(container).is_some_and(|run| reason_to_keep(container, run, kept).is_none())
    }

    fn container(state: ContainerSummaryStateEnum, expiry: Option<&str>) -> ContainerSummary {
        let run = (labels::RUN.to_owned(), "hype-run-x".to_owned());
        let expiry = expiry.map(|expiry| (labels::EXPIRY.to_owned(), expiry.to_owned()));
        ContainerSummary {
            state: Some(state),
            labels: Some(expiry.into_iter().chain([run]).collect()),
            ..Default::default()
        }
    }

    #[test]
    fn container_of_a_kept_run_is_not_collected() {
        let mut ended = container(ContainerSummaryStateEnum::EXITED, Some("1"));
        let labels = ended.labels.get_or_insert_default();
        labels.insert(labels::RUN.to_owned(), "hype-run-a".to_owned());
        assert!(!is_collectable(&ended, &BTreeSet::from(["hype-run-a".to_owned()])));
        assert!(is_collectable(&ended, &BTreeSet::from(["hype-run-b".to_owned()])));
    }

    #[test]
    fn running_or_unexpired_container_is_not_collected() {
        let is_collectable =
            |container: &ContainerSummary| is_collectable(container, &BTreeSet::new());
        use ContainerSummaryStateEnum::{CREATED, DEAD, EXITED, PAUSED, RUNNING};
        let later = labels::expiry(None);
        for state in [CREATED, EXITED, DEAD] {
            assert!(is_collectable(&container(state, Some("1"))), "{state}");
            assert!(!is_collectable(&container(state, Some(&later))), "{state}");
            assert!(!is_collectable(&container(state, None)), "{state}");
        }
        assert!(!is_collectable(&container(RUNNING, Some("1"))));
        assert!(!is_collectable(&container(PAUSED, Some("1"))));
    }

    #[test]
    fn container_without_run_id_is_not_collected() {
        for run in [None, Some(""), Some("../x"), Some("a/b")] {
            let mut ended = container(ContainerSummaryStateEnum::EXITED, Some("1"));
            let labels = ended.labels.get_or_insert_default();
            labels.remove(labels::RUN);
            labels.extend(run.map(|run| (labels::RUN.to_owned(), run.to_owned())));
            assert!(!is_collectable(&ended, &BTreeSet::new()), "{run:?}");
        }
    }
}
