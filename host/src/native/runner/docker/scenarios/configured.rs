//! Tests of the secret of the stage that options, variables or `hype.toml` name.

use std::time::Duration;

use super::super::endpoint;
use super::{DockerRunner, Scenario};
use crate::configuration::{Configuration, Key};
use crate::runner::StageSecret;

#[tokio::test(flavor = "multi_thread")]
async fn container_uses_the_configured_secret() {
    let mut scenario = Scenario::new().await;
    let endpoint = endpoint::at(scenario.daemon.host()).unwrap();
    let configuration = Configuration::of_values(&[(Key::StageSecret, "stage-key")]);
    let secrets = tempfile::tempdir().unwrap();
    let runner = DockerRunner::configured(endpoint, &configuration);
    scenario.runner = runner.with_secrets(secrets.path()).unwrap();
    // Without the secret, the run would wait for the end of its container.
    let run = tokio::time::timeout(Duration::from_secs(60), scenario.run()).await;
    let error = run.unwrap().unwrap().unwrap_err();
    let expected = "there is no secret `stage-key` for /run/hype/stage-secret";
    assert!(error.report().starts_with(expected), "{error:?}");
    assert!(error.concerns(Key::StageSecret, "stage-key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_secret_serves_buckets_of_programs_that_name_none() {
    let scenario = Scenario::new().await;
    let configuration = Configuration::of_values(&[(Key::StageSecret, "configured")]);
    let configured = StageSecret::configured(&configuration);
    let own = StageSecret { name: "own".into(), path: "/etc/stage".into() };
    for (url, named, expected) in [
        ("gs://bucket", None, configured.clone()),
        ("file:///stage", None, None),
        ("gs://bucket", Some(own.clone()), Some(own)),
    ] {
        let mut attempt = scenario.attempt();
        (attempt.stage_url, attempt.stage_secret) = (url.into(), named);
        attempt.use_configured_secret(configured.as_ref());
        assert_eq!(attempt.stage_secret, expected, "{url}");
    }
}
