//! Runs that outlive a killed program.

use hype::{KubernetesRunner, Submitter};
use hype_stage::{Stage, StageOptions};
use test_storage_server::{Operation, Settings, StorageServer};

use super::cluster::{assert_gone, objects_of, wait};
use super::program::{WaitingProgram, program};

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn attacher_takes_over_run_of_killed_program() {
    conformance::build_guests();
    let server = StorageServer::start(&Settings::new().with_bucket("bucket")).unwrap();
    let url = "gs://bucket/outlived";
    let mut program = program();
    program.env("STORAGE_EMULATOR_HOST", server.url()).env("HYPE_STAGING", url);
    let mut waiting = WaitingProgram::start(program);
    let id = waiting.run.clone();
    waiting.kill();
    assert_eq!(objects_of(&id), format!("pod/{id}-1"));
    let renewals = server.count(Operation::Write, "*/lease");
    let options = StageOptions::new().with_variables([("STORAGE_EMULATOR_HOST", server.url())]);
    let stage = Stage::open_with(url, &options).unwrap();
    let runner = KubernetesRunner::new().unwrap();
    let submitter = Submitter::new(stage, runner).unwrap().with_strict_results();
    wait(async {
        let run = submitter.attach::<String>(&id);
        // The attacher takes over the lease once the owner hasn't renewed it for a minute.
        server.wait_for(Operation::Write, "*/lease", renewals + 1).await;
        waiting.release();
        assert_eq!(run.wait().await.unwrap(), "gone");
        submitter.close().await.unwrap();
    });
    assert_gone(&id);
    let left = server.names("bucket");
    assert!(left.iter().all(|name| !name.contains(&id)), "{left:?}");
}
