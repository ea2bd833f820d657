//! Tests of Pods with the service account and the stage's secret that options, variables or `hype.toml` name.

use serde_json::{Value, json};

use super::super::cluster::{Cluster, ClusterSource};
use super::{FakeApiServer, Fault, Scenario, expect_error, short_timeouts};
use crate::configuration::{Configuration, Key};
use crate::environment::RunEnvironment;
use crate::run::submitter::Submitter;
use crate::runner::KubernetesRunner;

const CONFIGURED: [(Key, &str); 2] =
    [(Key::ServiceAccount, "configured"), (Key::StageSecret, "stage-key")];

/// Returns a runner of a fake cluster with the service account and the secret.
fn configured() -> (FakeApiServer, KubernetesRunner) {
    let server = FakeApiServer::start();
    let cluster = Cluster::new(ClusterSource::TestClient(server.client()));
    let runner = KubernetesRunner::with_cluster(cluster, &Configuration::of_values(&CONFIGURED));
    (server, runner)
}

/// Returns the specification of the Pod that a run in `env` creates.
async fn spec(env: &RunEnvironment) -> Value {
    let mut scenario = Scenario::new();
    (scenario.server, scenario.runner) = configured();
    let _run = scenario.start(env).await;
    scenario.server.resources("pods")[0]["spec"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_has_the_configured_account_and_secret() {
    let spec = spec(&RunEnvironment::new()).await;
    assert_eq!(spec["serviceAccountName"], "configured");
    let volumes = spec["volumes"].as_array().unwrap();
    let secret = volumes.iter().find(|volume| volume["name"] == "hype-stage").unwrap();
    assert_eq!(secret["secret"]["secretName"], "stage-key");
    let variables = spec["containers"][0]["env"].as_array().unwrap();
    let key = json!({"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/run/hype/stage-secret/key.json"});
    assert!(variables.contains(&key), "{variables:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn account_of_environment_or_template_precedes_the_configured_one() {
    let own = RunEnvironment::new().with_service_account("own");
    assert_eq!(spec(&own).await["serviceAccountName"], "own");
    let yaml = "spec: {serviceAccountName: template, containers: [{name: hype-run}]}";
    let template = RunEnvironment::from_yaml_str(yaml).unwrap();
    assert_eq!(spec(&template).await["serviceAccountName"], "template");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn pod_of_doctor_has_the_configured_account() {
    // A Pod has its own /tmp.
    let directory = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = directory.path().display();
    let yaml = format!(
        "spec: {{containers: [{{name: hype-run, volumeMounts: [{{name: v, mountPath: {path}}}]}}]}}"
    );
    let (server, runner) = configured();
    server.add("namespaces", json!({"metadata": {"name": "default"}}));
    let stage = hype_stage::Stage::in_directory(directory.path()).unwrap();
    let submitter = Submitter::new(stage, runner.with_yaml_str(&yaml).unwrap()).unwrap();
    let account = async {
        server.wait_for_requests("POST pods", 1).await;
        server.wait_for_requests("WATCH pods", 1).await;
        server.resources("pods")[0]["spec"]["serviceAccountName"].clone()
    };
    tokio::select! {
        checks = crate::doctor::collect_of(submitter) => panic!("no Pod was created: {checks:?}"),
        account = account => assert_eq!(account, "configured"),
    }
}

/// The API server rejects a Pod whose service account doesn't exist.
#[tokio::test(flavor = "multi_thread")]
async fn rejected_pod_concerns_the_account_that_it_names() {
    let message = "pods \"hype-run-abcdefghij-1\" is forbidden: error looking up service account \
                   default/configured: serviceaccount \"configured\" not found";
    for (env, is_concerned) in
        [(RunEnvironment::new(), true), (RunEnvironment::new().with_service_account("own"), false)]
    {
        let mut scenario = Scenario::new();
        (scenario.server, scenario.runner) = configured();
        scenario.runner = scenario.runner.with_pod_timeouts(short_timeouts()).unwrap();
        for _ in 0..100 {
            scenario.server.inject("POST pods", Fault::Error(403, "Forbidden", message));
        }
        let error = expect_error(scenario.run(&env)).await;
        assert_eq!(error.concerns(Key::ServiceAccount, "configured"), is_concerned, "{error:?}");
    }
}
