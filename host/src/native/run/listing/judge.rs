//! The status and the owner of a run, from everything that is known of it.

use hype_wire::{DrivenRun, End, Outcome};

use super::facts::{Facts, FoundLease, Staged};
use super::info::{RunInfo, RunOwner, RunStatus};
use crate::runner::run_location::RunLocation;
use crate::runner::{ProcessInfo, ProcessPhase};

/// Everything that is known of a run. The processes were listed before the stage was read.
pub(super) struct Evidence<'a> {
    pub(super) run_id: &'a str,
    pub(super) facts: &'a Facts,
    /// The run's processes, in the order of their attempts.
    pub(super) processes: &'a [ProcessInfo],
    /// The description by the submitter that drives the run, if it is on this machine and of this user.
    pub(super) local: Option<&'a DrivenRun>,
    /// Whether the runner of this program can find processes in the run's location.
    pub(super) is_searchable: bool,
    /// The reason why the runner could not search the run's location.
    pub(super) search_failure: Option<&'a str>,
    /// The location of the runner's processes, for messages.
    pub(super) runner_location: &'a str,
}

impl Evidence<'_> {
    /// Describes the run; returns `None` if nothing of it exists.
    pub(super) fn judge(&self) -> Option<RunInfo> {
        let Self { run_id, facts, processes, local, .. } = *self;
        let Facts { staged, lease, outcome, is_unreadable, .. } = facts;
        // An entry in the index alone is a leftover.
        let is_staged = staged.as_ref().is_some_and(|staged| staged.has_manifest);
        let exists = is_staged || lease.is_some() || outcome.is_some() || *is_unreadable;
        if !exists && local.is_none() && processes.is_empty() {
            return None;
        }
        let (owner, last) = (self.owner(), processes.last());
        let names = [
            staged.as_ref().map(|it| (it.function.as_str(), it.component.as_str())),
            local.map(|it| (it.function.as_str(), it.component.as_str())),
            last.map(|it| (it.function.as_str(), it.component.as_str())),
            lease.as_ref().map(|it| (it.record.function.as_str(), "")),
        ];
        let (function, component) = names.into_iter().flatten().next().unwrap_or_default();
        let attempts = [
            last.map(|process| process.attempt),
            local.map(|local| local.attempt).filter(|attempt| *attempt > 0),
            outcome.as_ref().map(|outcome| outcome.attempt),
        ];
        let local_age = local.map(|local| std::time::Duration::from_millis(local.age_ms));
        Some(RunInfo {
            id: run_id.to_owned(),
            function: function.to_owned(),
            component: component.to_owned(),
            status: self.status(owner),
            location: self.location(),
            node: last.and_then(|process| process.node.clone()),
            attempt: attempts.into_iter().flatten().max(),
            age: staged.as_ref().and_then(|staged| staged.age).or(local_age),
            owner,
        })
    }

    fn owner(&self) -> RunOwner {
        let Facts { staged, lease, has_clock, is_abandoned, first_lease_timeout, .. } = self.facts;
        if let Some(local) = self.local {
            return if local.is_detached { RunOwner::Detached } else { RunOwner::Live };
        }
        match (lease, staged) {
            (Some(lease), _) if lease.record.detached => RunOwner::Detached,
            _ if *is_abandoned => RunOwner::None,
            (Some(_), _) if !has_clock => RunOwner::Unknown,
            (Some(FoundLease { is_expired, .. }), _) => {
                if *is_expired {
                    RunOwner::None
                } else {
                    RunOwner::Live
                }
            }
            (None, Some(Staged { age: Some(age), .. })) => {
                if age < first_lease_timeout {
                    RunOwner::Live
                } else {
                    RunOwner::None
                }
            }
            (None, _) => RunOwner::Unknown,
        }
    }

    fn location(&self) -> String {
        match &self.facts.staged {
            Some(Staged { run_location: Some(location), .. }) => match RunLocation::parse(location)
            {
                Ok(location) => location.describe(),
                Err(error) => error.to_string(),
            },
            Some(Staged { has_manifest: true, .. }) => IN_PROGRAM.to_owned(),
            // Only a run in its program starts without a manifest in the stage.
            _ if self.local.is_some_and(|local| local.attempt > 0) => IN_PROGRAM.to_owned(),
            _ if self.processes.is_empty() => "not yet started".to_owned(),
            _ => self.runner_location.to_owned(),
        }
    }

    fn status(&self, owner: RunOwner) -> RunStatus {
        if let Some(outcome) = &self.facts.outcome {
            return of_outcome(outcome);
        }
        if let Some(local) = self.local {
            return self.status_of_local(local);
        }
        match self.processes.last() {
            Some(process) => self.status_of_process(process, owner),
            None => self.status_without_process(owner),
        }
    }

    /// Returns the status of a run that a submitter of this user on this machine drives.
    fn status_of_local(&self, local: &DrivenRun) -> RunStatus {
        let current = self.processes.iter().rfind(|process| process.attempt >= local.attempt);
        match (local, current) {
            (DrivenRun { has_ended: true, .. }, _) => {
                RunStatus::Lost("it ended without an outcome, and its program has the error".into())
            }
            (DrivenRun { attempt: 0, .. }, _) => RunStatus::Staging,
            (_, Some(process)) => self.status_of_process(process, RunOwner::Live),
            (_, None) if let Some(reason) = self.search_failure => {
                RunStatus::Unknown(reason.to_owned())
            }
            (_, None) if self.is_searchable => RunStatus::Pending(NOT_CREATED.to_owned()),
            (_, None) => RunStatus::Running,
        }
    }

    fn status_of_process(&self, process: &ProcessInfo, owner: RunOwner) -> RunStatus {
        let name = &process.name;
        match &process.phase {
            ProcessPhase::Pending(reason) => RunStatus::Pending(reason.clone()),
            ProcessPhase::Running => RunStatus::Running,
            ProcessPhase::Ended(end) => match owner {
                RunOwner::Live => {
                    RunStatus::Pending(format!("{name} {end}; its program retries or reports it"))
                }
                RunOwner::Unknown => RunStatus::Unknown(format!("{name} {end}")),
                RunOwner::Detached | RunOwner::None => {
                    RunStatus::Lost(format!("{name} {end}, and wrote no outcome"))
                }
            },
        }
    }

    fn status_without_process(&self, owner: RunOwner) -> RunStatus {
        let Some(staged) = self.facts.staged.as_ref().filter(|staged| staged.has_manifest) else {
            return match owner {
                RunOwner::Live => RunStatus::Staging,
                RunOwner::Unknown if self.facts.is_unreadable => {
                    RunStatus::Unknown("another version of hype wrote its objects".to_owned())
                }
                RunOwner::Unknown => RunStatus::Unknown(NO_CLOCK.to_owned()),
                _ => RunStatus::Lost("its program ended before it was staged".to_owned()),
            };
        };
        let Some(location) = &staged.run_location else { return self.status_in_program(owner) };
        if !self.is_searchable {
            let location = RunLocation::parse(location).map(|location| location.describe());
            return RunStatus::Unknown(match location {
                Ok(location) => format!("it was started {location}"),
                Err(error) => error.to_string(),
            });
        }
        if let Some(reason) = self.search_failure {
            return RunStatus::Unknown(reason.to_owned());
        }
        match owner {
            RunOwner::Live => RunStatus::Pending(NOT_CREATED.to_owned()),
            RunOwner::Unknown => RunStatus::Unknown(NO_CLOCK.to_owned()),
            RunOwner::Detached | RunOwner::None => {
                let location = self.location();
                RunStatus::Lost(format!("nothing of it exists {location}, and it has no outcome"))
            }
        }
    }

    /// Returns the status of a run inside the process of its program. The program renews the lease while it runs, even
    /// if the run is detached.
    fn status_in_program(&self, owner: RunOwner) -> RunStatus {
        let Facts { lease, has_clock, is_abandoned, .. } = self.facts;
        let has_expired = *is_abandoned || lease.as_ref().is_some_and(|lease| lease.is_expired);
        match owner {
            RunOwner::Live => RunStatus::Running,
            RunOwner::Detached if !has_expired && *has_clock => RunStatus::Running,
            RunOwner::Detached if !has_expired => RunStatus::Unknown(NO_CLOCK.to_owned()),
            RunOwner::Unknown => RunStatus::Unknown(NO_CLOCK.to_owned()),
            RunOwner::Detached | RunOwner::None => {
                RunStatus::Lost("its program has ended, and it has no outcome".to_owned())
            }
        }
    }
}

/// The location of a run that ends with its program.
const IN_PROGRAM: &str = "in the process of its program";

/// The reason of a run that its owner is about to start.
const NOT_CREATED: &str = "its container or Pod does not exist yet";

/// The reason of an unknown status for programs that can't write to the stage.
const NO_CLOCK: &str = "this program cannot write to the stage, and so not read its clock";

fn of_outcome(outcome: &Outcome) -> RunStatus {
    match &outcome.end {
        End::Value(_) => RunStatus::Succeeded,
        End::Failure(failure) => RunStatus::Failed(failure.kind),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hype_wire::{Failure, FailureKind, Lease, Payload, RunId, Statistics};

    use super::*;

    const RUN: &str = "hype-run-abcdefghij";

    fn id() -> RunId {
        RUN.parse().unwrap()
    }

    fn facts() -> Facts {
        Facts {
            staged: None,
            lease: None,
            outcome: None,
            is_unreadable: false,
            has_clock: true,
            is_abandoned: false,
            first_lease_timeout: Duration::from_secs(7),
        }
    }

    fn staged(run_location: Option<&str>, age: u64) -> Option<Staged> {
        Some(Staged {
            function: "train".into(),
            component: "models.wasm".into(),
            run_location: run_location.map(str::to_owned),
            age: Some(Duration::from_secs(age)),
            has_manifest: true,
        })
    }

    fn lease(is_detached: bool, is_expired: bool) -> Option<FoundLease> {
        let mut record = Lease::new(id(), "train", "owner", Duration::from_secs(60));
        record.detached = is_detached;
        Some(FoundLease { record, is_expired })
    }

    fn outcome(end: End) -> Option<Outcome> {
        Some(Outcome::new(id(), 2, end, Statistics::default()))
    }

    fn local(attempt: u32, has_ended: bool) -> DrivenRun {
        DrivenRun {
            run_id: id(),
            stage_url: "file:///s".into(),
            function: "train".into(),
            component: String::new(),
            attempt,
            has_ended,
            is_detached: false,
            age_ms: 3000,
        }
    }

    fn process(phase: ProcessPhase) -> ProcessInfo {
        ProcessInfo::new(RUN, 1, "pod p", phase)
    }

    fn judge(facts: &Facts, processes: &[ProcessInfo], local: Option<&DrivenRun>) -> RunInfo {
        let runner_location = "in Kubernetes";
        let evidence = Evidence {
            run_id: RUN,
            facts,
            processes,
            local,
            is_searchable: true,
            search_failure: None,
            runner_location,
        };
        evidence.judge().unwrap()
    }

    #[test]
    fn run_without_any_trace_is_not_listed() {
        let facts = facts();
        let evidence = Evidence {
            run_id: RUN,
            facts: &facts,
            processes: &[],
            local: None,
            is_searchable: true,
            search_failure: None,
            runner_location: "in Kubernetes",
        };
        assert_eq!(evidence.judge(), None);
    }

    #[test]
    fn outcome_decides_the_status_even_while_its_program_holds_the_run() {
        let value = End::Value(Payload::Inline(vec![1].into()));
        let failure = End::Failure(Failure::new(FailureKind::Panic, "no weights"));
        for (end, status) in
            [(value, RunStatus::Succeeded), (failure, RunStatus::Failed(FailureKind::Panic))]
        {
            let facts = Facts {
                staged: staged(None, 9),
                lease: lease(false, false),
                outcome: outcome(end),
                ..facts()
            };
            let info = judge(&facts, &[], Some(&local(1, false)));
            assert_eq!((info.status, info.attempt, info.owner), (status, Some(2), RunOwner::Live));
        }
    }

    #[test]
    fn local_submitter_reports_staging_and_attempts() {
        let (none, found) = (facts(), Facts { staged: staged(None, 1), ..facts() });
        assert_eq!(judge(&none, &[], Some(&local(0, false))).status, RunStatus::Staging);
        let ended = judge(&none, &[], Some(&local(0, true))).status;
        assert!(matches!(ended, RunStatus::Lost(_)), "{ended}");
        let evidence = Evidence {
            run_id: RUN,
            facts: &found,
            processes: &[],
            local: Some(&local(3, false)),
            is_searchable: false,
            search_failure: None,
            runner_location: "in this process",
        };
        let info = evidence.judge().unwrap();
        assert_eq!((info.status, info.attempt), (RunStatus::Running, Some(3)));
    }

    #[test]
    fn process_decides_the_status_of_a_run_without_outcome() {
        let here = || Facts { staged: staged(Some("kubernetes:team"), 100), ..facts() };
        let owned = Facts { lease: lease(false, false), ..here() };
        let detached = Facts { lease: lease(true, true), ..here() };
        let orphan = Facts { lease: lease(false, true), ..here() };
        let pending = process(ProcessPhase::Pending("no node has a GPU".into()));
        let ended = process(ProcessPhase::Ended("exited with status 3".into()));
        for (facts, process, expected) in [
            (&owned, Some(&pending), "pending: no node has a GPU"),
            (&orphan, Some(&process(ProcessPhase::Running)), "running"),
            (
                &owned,
                Some(&ended),
                "pending: pod p exited with status 3; its program retries or reports it",
            ),
            (&detached, Some(&ended), "lost: pod p exited with status 3, and wrote no outcome"),
            (&orphan, Some(&ended), "lost: pod p exited with status 3, and wrote no outcome"),
            (&owned, None, "pending: its container or Pod does not exist yet"),
            (
                &detached,
                None,
                "lost: nothing of it exists in Kubernetes, namespace team, and it has no outcome",
            ),
        ] {
            let processes: Vec<_> = process.cloned().into_iter().collect();
            assert_eq!(judge(facts, &processes, None).status.to_string(), expected);
        }
    }

    #[test]
    fn run_in_another_program_is_running_while_its_lease_is_renewed() {
        let running = |lease, age| {
            let facts = Facts { staged: staged(None, age), lease, ..facts() };
            let info = judge(&facts, &[], None);
            (info.status == RunStatus::Running, info.owner)
        };
        assert_eq!(running(lease(false, false), 100), (true, RunOwner::Live));
        assert_eq!(running(lease(true, false), 100), (true, RunOwner::Detached));
        assert_eq!(running(lease(true, true), 100), (false, RunOwner::Detached));
        assert_eq!(running(lease(false, true), 100), (false, RunOwner::None));
        assert_eq!(running(None, 6), (true, RunOwner::Live));
        assert_eq!(running(None, 8), (false, RunOwner::None));
    }

    #[test]
    fn run_in_another_location_is_unknown() {
        let facts = Facts {
            staged: staged(Some("kubernetes:team"), 100),
            lease: lease(true, true),
            ..facts()
        };
        let evidence = Evidence {
            run_id: RUN,
            facts: &facts,
            processes: &[],
            local: None,
            is_searchable: false,
            search_failure: None,
            runner_location: "in Docker",
        };
        let status = evidence.judge().unwrap().status.to_string();
        assert_eq!(status, "unknown: it was started in Kubernetes, namespace team");
    }

    #[test]
    fn run_in_an_unreachable_location_is_unknown() {
        let local = local(1, false);
        for (lease, local) in
            [(lease(true, true), None), (lease(false, true), None), (None, Some(&local))]
        {
            let facts = Facts { staged: staged(Some("kubernetes:team"), 100), lease, ..facts() };
            let evidence = Evidence {
                run_id: RUN,
                facts: &facts,
                processes: &[],
                local,
                is_searchable: true,
                search_failure: Some("cannot list pods"),
                runner_location: "in Kubernetes",
            };
            let status = evidence.judge().unwrap().status;
            assert_eq!(status.to_string(), "unknown: cannot list pods");
            assert!(status.is_live());
        }
    }

    #[test]
    fn owner_is_unknown_without_a_clock() {
        let facts = Facts {
            staged: staged(None, 1),
            lease: lease(false, false),
            has_clock: false,
            ..facts()
        };
        let info = judge(&facts, &[], None);
        assert_eq!(info.owner, RunOwner::Unknown);
        assert!(info.status.to_string().contains("clock"), "{}", info.status);
    }

    #[test]
    fn unchanged_lease_decides_without_a_clock() {
        let ended = process(ProcessPhase::Ended("exited with status 3".into()));
        for lease in [None, lease(false, false), lease(true, false)] {
            let mut facts = Facts { staged: staged(None, 1), lease, has_clock: false, ..facts() };
            facts.staged.as_mut().unwrap().age = None;
            let is_detached = facts.lease.as_ref().is_some_and(|lease| lease.record.detached);
            for processes in [&[][..], std::slice::from_ref(&ended)] {
                facts.is_abandoned = false;
                let status = judge(&facts, processes, None).status;
                let is_known = is_detached && !processes.is_empty();
                assert_eq!(matches!(status, RunStatus::Unknown(_)), !is_known, "{status}");
                facts.is_abandoned = true;
                let status = judge(&facts, processes, None).status;
                assert!(matches!(status, RunStatus::Lost(_)), "{status}");
            }
        }
    }
}
