//! Lists the containers of runs, whichever program created them.

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use hype_wire::names;

use super::daemon::ConnectedDaemon;
use super::leftovers::{containers, containers_of_run, label};
use crate::error::Result;
use crate::runner::{ProcessInfo, ProcessPhase, labels};

/// Returns the containers of all runs, or of one.
pub(super) async fn list(
    daemon: &ConnectedDaemon,
    run_id: Option<&str>,
) -> Result<Vec<ProcessInfo>> {
    let found = match run_id {
        Some(run_id) => containers_of_run(daemon, run_id).await?,
        None => containers(daemon, labels::RUN).await?,
    };
    Ok(found.iter().filter_map(|container| describe(container, &daemon.machine)).collect())
}

/// Describes a container; returns `None` if it is not of a run.
fn describe(container: &ContainerSummary, machine: &str) -> Option<ProcessInfo> {
    let run_id = label(container, labels::RUN).filter(|run_id| names::is_run_id(run_id))?;
    let name = container.names.iter().flatten().next()?.trim_start_matches('/');
    let attempt = ProcessInfo::attempt_of(name);
    let mut process =
        ProcessInfo::new(run_id, attempt, format!("container {name}"), phase(container));
    process.function = label(container, labels::FUNCTION).unwrap_or_default().to_owned();
    process.component = label(container, labels::COMPONENT).unwrap_or_default().to_owned();
    process.node = Some(machine.to_owned()).filter(|machine| !machine.is_empty());
    Some(process)
}

fn phase(container: &ContainerSummary) -> ProcessPhase {
    use ContainerSummaryStateEnum::{CREATED, PAUSED, RESTARTING, RUNNING};
    match container.state {
        Some(RUNNING | RESTARTING) => ProcessPhase::Running,
        Some(CREATED) => ProcessPhase::Pending("its container is created, and not started".into()),
        Some(PAUSED) => ProcessPhase::Pending("its container is paused".into()),
        // The daemon's own words: `Exited (137) 5 minutes ago`.
        _ => ProcessPhase::Ended(match container.status.as_deref() {
            Some(status) if !status.is_empty() => format!("ended: {status}"),
            _ => "ended".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_is_described_by_its_labels_and_state() {
        let labels = [(labels::RUN, "hype-run-a"), (labels::FUNCTION, "train")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut container = ContainerSummary {
            names: Some(vec!["/hype-run-a-2".into()]),
            labels: Some(labels.into()),
            state: Some(ContainerSummaryStateEnum::RUNNING),
            ..Default::default()
        };
        let process = describe(&container, "build-7").unwrap();
        assert_eq!((process.attempt, process.phase), (2, ProcessPhase::Running));
        assert_eq!(
            (process.function.as_str(), process.node.as_deref()),
            ("train", Some("build-7"))
        );
        container.state = Some(ContainerSummaryStateEnum::EXITED);
        container.status = Some("Exited (137) 5 minutes ago".into());
        let ended = ProcessPhase::Ended("ended: Exited (137) 5 minutes ago".into());
        assert_eq!(describe(&container, "").unwrap().phase, ended);
        container.state = Some(ContainerSummaryStateEnum::PAUSED);
        assert!(matches!(describe(&container, "").unwrap().phase, ProcessPhase::Pending(_)));
        container.labels.as_mut().unwrap().insert(labels::RUN.to_owned(), "../x".to_owned());
        assert_eq!(describe(&container, ""), None);
    }
}
