//! Tests of a local submitter that attaches to runs of other programs.

use std::time::Duration;

use hype_stage::Stage;
use hype_wire::{
    Blob, Call, ComponentRef, End, Job, Lease, Outcome, Payload, RunManifest, Statistics, codec,
    names,
};

use crate::error::ErrorKind;
use crate::run::control::Cancelled;
use crate::run::submitter::{Submitter, submitter_with_lease_term};
use crate::runner::LocalRunner;

const RUN: &str = "hype-run-abcdefghij";
const TERM: Duration = Duration::from_millis(300);
const DOCKER: &str = "docker:build-7:unix:///var/run/docker.sock";
const KUBERNETES: &str = "kubernetes:team-a";

/// A run of another program in a separate stage, and a local submitter.
struct ForeignRun {
    stage: Stage,
    submitter: Submitter,
    _directory: tempfile::TempDir,
}

impl ForeignRun {
    /// Stages a run that was started in `place`. Either it is detached, or its owner is gone.
    async fn new(place: &str, is_detached: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(directory.path()).unwrap();
        let runner = LocalRunner::new().unwrap();
        let runner = runner.with_volumes(directory.path().join("volumes")).unwrap();
        let submitter = submitter_with_lease_term(stage.clone(), runner, TERM).unwrap();
        let component = ComponentRef { name: "guests.wasm".into(), blob: Blob::of(b"component") };
        let arguments = Payload::Inline(Vec::new().into());
        let mut manifest = RunManifest::new(
            RUN.parse().unwrap(),
            Job::new(component),
            Call::closure("greet", arguments),
        );
        manifest.place = Some(place.into());
        stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
        let mut lease = Lease::new(RUN.parse().unwrap(), "greet", "hype-owner-gone", TERM);
        lease.detached = is_detached;
        stage.put(&names::lease(RUN), lease.to_bytes().unwrap().into()).await.unwrap();
        Self { stage, submitter, _directory: directory }
    }

    async fn write_outcome(&self) {
        let value = codec::to_vec(&"hello you").unwrap();
        let end = End::Value(Payload::Inline(value.into()));
        let outcome =
            Outcome::new(RUN.parse().unwrap(), 1, end, Statistics::default()).to_bytes().unwrap();
        self.stage.put(&names::outcome(RUN), outcome.into()).await.unwrap();
    }

    async fn count_objects(&self) -> usize {
        let mut objects = 0;
        for name in [names::manifest(RUN), names::lease(RUN), names::outcome(RUN)] {
            objects += usize::from(self.stage.has(&name).await.unwrap());
        }
        objects
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_submitter_does_not_attach_to_run_of_another_runner() {
    for (place, description, submitter) in [
        (
            DOCKER,
            "in Docker, by the daemon at unix:///var/run/docker.sock of the machine build-7",
            "Submitter::docker()",
        ),
        (KUBERNETES, "in Kubernetes, namespace team-a", "Submitter::kubernetes()"),
        ("slurm:queue", "in slurm:queue", "the runner that started it"),
    ] {
        for is_detached in [true, false] {
            let run = ForeignRun::new(place, is_detached).await;
            let error = run.submitter.attach::<String>(RUN).wait().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
            let report = error.report();
            assert!(report.starts_with(&format!("{RUN} was started {description}")), "{report}");
            assert!(report.contains("which runs things in this process, cannot look"), "{report}");
            assert!(report.contains("the run is as it was"), "{report}");
            assert!(report.contains(submitter), "{report}");
            assert_eq!(run.count_objects().await, 2, "{report}");
            run.write_outcome().await;
            let value = run.submitter.attach::<String>(RUN).wait().await.unwrap();
            assert_eq!(value, "hello you");
            // The run is removed once its owner's lease has expired, for which `close` waits.
            run.submitter.clone().close().await.unwrap();
            assert_eq!(run.count_objects().await, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attaching_to_detached_run_elsewhere_fails_fast() {
    let run = ForeignRun::new(DOCKER, true).await;
    let runner = LocalRunner::new().unwrap();
    let term = Duration::from_secs(3600);
    let submitter = submitter_with_lease_term(run.stage.clone(), runner, term).unwrap();
    let attached = submitter.attach::<String>(RUN);
    let ended = tokio::time::timeout(Duration::from_secs(30), attached.wait()).await.unwrap();
    assert!(ended.unwrap_err().report().contains("attach by Submitter::docker()"));
    assert_eq!(run.count_objects().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_run_elsewhere_is_rejected() {
    let run = ForeignRun::new(DOCKER, true).await;
    let error = run.submitter.attach::<String>(RUN).cancel().await.unwrap_err();
    let report = error.report();
    assert!(report.contains("cancel it by Submitter::docker() on that machine"), "{report}");
    assert_eq!(run.count_objects().await, 2);
}

/// A program that ends while it cancels its run may leave a container that this program can't stop.
#[tokio::test(flavor = "multi_thread")]
async fn run_elsewhere_is_not_stoppable_though_its_program_has_ended() {
    let run = ForeignRun::new(DOCKER, false).await;
    let dispatcher = std::sync::Arc::clone(run.submitter.dispatcher());
    let attachment = super::Attachment::to_cancel(dispatcher, RUN);
    let stoppable = attachment.0.check_stoppable(Cancelled::ProgramEnded).await;
    let report = stoppable.unwrap_err().report();
    assert!(report.contains("cancel it by Submitter::docker() on that machine"), "{report}");
    assert_eq!(run.count_objects().await, 2);
}

/// The stage is untrusted: an outcome may be a copy of another run's, or name any object as its value.
#[tokio::test(flavor = "multi_thread")]
async fn attachment_rejects_outcome_of_another_run() {
    let run = ForeignRun::new(DOCKER, true).await;
    let foreign = Payload::Staged { name: "blobs/secret".into(), blob: Blob::of(b"secret") };
    for (run_id, value, expected) in [
        ("hype-run-another", Payload::Inline(vec![1].into()), "the outcome of another run"),
        (RUN, foreign, "names a value that is no object of it"),
    ] {
        let outcome =
            Outcome::new(run_id.parse().unwrap(), 1, End::Value(value), Statistics::default());
        let outcome = outcome.to_bytes().unwrap();
        run.stage.put(&names::outcome(RUN), outcome.into()).await.unwrap();
        let report = run.submitter.attach::<u8>(RUN).wait().await.unwrap_err().report();
        assert!(report.contains(expected) && report.contains("the run is as it was"), "{report}");
        assert_eq!(run.count_objects().await, 3);
    }
}
