//! Tests of removals: only what this very run or process created, by its ID and its labels.

use std::collections::BTreeSet;

use hype_stage::CollectMode;
use hype_wire::RunKey;
use serde_json::json;

use super::{CONTAINER, RUN, Scenario};
use crate::environment::RunEnvironment;
use crate::environment::mount::VolumeRequest;
use crate::run::lease;
use crate::runner::docker::fake_daemon::{Container, Fault};
use crate::runner::{Completion, Runner, labels};

const REMOVAL: &str = "DELETE containers/id-of-hype-run-abcdefghij-1";

impl Scenario {
    /// Ends the program, waits for its cleanup, and returns the number of containers and the key of the run.
    async fn close(self) -> (usize, Option<RunKey>) {
        let Self { daemon, cleanup, background, keys, _state, .. } = self;
        drop(cleanup);
        tokio::task::spawn_blocking(move || drop(background)).await.unwrap();
        (daemon.containers().len(), keys.find(RUN))
    }

    fn removals(&self) -> Vec<String> {
        self.daemon.requests().into_iter().filter(|it| it.starts_with("DELETE")).collect()
    }
}

fn ended(labels: serde_json::Value) -> Container {
    Container {
        body: json!({"Labels": labels}),
        starts: 1,
        status: Some(0),
        ..Container::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn container_is_removed_by_its_id() {
    let scenario = Scenario::new().await;
    let daemon = scenario.daemon.clone();
    assert_eq!(scenario.run_to_its_end().await.unwrap(), Completion::Sealed);
    assert_eq!(scenario.close().await, (0, None));
    let removals: Vec<_> =
        daemon.requests().into_iter().filter(|it| it.starts_with("DELETE")).collect();
    assert_eq!(removals, [REMOVAL]);
}

/// The name is taken, so the run fails; its cleanup must not remove the other container.
#[tokio::test(flavor = "multi_thread")]
async fn failed_run_keeps_foreign_container_of_its_name() {
    for labels in [
        json!({}),
        json!({labels::RUN: RUN, labels::SUBMITTER: lease::owner()}),
        json!({labels::RUN: RUN, labels::SUBMITTER: "hype-owner", labels::MANIFEST: "x"}),
    ] {
        let scenario = Scenario::new().await;
        scenario.daemon.add_container(CONTAINER, ended(labels));
        scenario.run().await.unwrap().unwrap_err();
        assert_eq!(scenario.close().await, (1, None));
    }
}

/// The fake daemon ignores filters.
#[tokio::test(flavor = "multi_thread")]
async fn removal_and_collection_keep_containers_of_others() {
    let scenario = Scenario::new().await;
    for (name, labels) in [
        ("unlabelled", json!({})),
        ("of-another-run", json!({labels::RUN: "hype-run-another"})),
        ("no-run-id", json!({labels::RUN: "../x", labels::EXPIRY: "1"})),
    ] {
        scenario.daemon.add_container(name, ended(labels));
    }
    scenario.daemon.add_container(CONTAINER, ended(json!({labels::RUN: RUN})));
    scenario.daemon.add_volume("data", json!({labels::EXPIRY: "1"}));
    scenario.runner.remove(RUN, true).await.unwrap();
    assert_eq!(scenario.removals(), [REMOVAL]);
    let collected = scenario.runner.collect(CollectMode::Delete, &BTreeSet::new()).await.unwrap();
    assert_eq!(collected.removed, [""; 0]);
    assert_eq!(scenario.removals(), [REMOVAL]);
    assert_eq!(scenario.daemon.volumes(), ["data"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_reports_a_volume_as_removed_with_its_container() {
    let scenario = Scenario::new().await;
    for (name, volume, expiry) in
        [(CONTAINER, "hype-volume-a", "1"), ("young", "hype-volume-b", &labels::expiry(None))]
    {
        let mut container = ended(json!({labels::RUN: RUN, labels::EXPIRY: expiry}));
        container.body["HostConfig"] =
            json!({"Mounts": [{"Type": "volume", "Source": volume, "Target": "/v"}]});
        scenario.daemon.add_container(name, container);
        let labels = json!({labels::VOLUME: "transient", labels::EXPIRY: "1"});
        scenario.daemon.add_volume(volume, labels);
    }
    for mode in [CollectMode::DryRun, CollectMode::Delete] {
        let collected = scenario.runner.collect(mode, &BTreeSet::new()).await.unwrap();
        let container = format!("container {CONTAINER}");
        assert_eq!(collected.removed, [container.as_str(), "volume hype-volume-a"], "{mode:?}");
        let kept = collected.kept.iter().map(|kept| format!("{}: {}", kept.name, kept.reason));
        let expected =
            ["container young: it has not expired", "volume hype-volume-b: a container uses it"];
        assert_eq!(kept.collect::<Vec<_>>(), expected, "{mode:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_create_response_leaks_no_container() {
    let scenario = Scenario::new().await;
    scenario.daemon.inject("POST containers/create", Fault::LostResponse);
    // The second request, too, gets no response, so only the labels tell whose container exists.
    for _ in 0..100 {
        scenario.daemon.inject("POST containers/create", Fault::Disconnect);
    }
    scenario.run().await.unwrap().unwrap_err();
    assert_eq!(scenario.close().await, (0, None));
}

/// Another client may remove the transient volume and create one of the same name.
#[tokio::test(flavor = "multi_thread")]
async fn replaced_volume_is_kept() {
    for is_replaced in [true, false] {
        let scenario = Scenario::new().await;
        let volume = VolumeRequest::transient("ssd", "1Gi");
        let env = RunEnvironment::new().with_mount(volume.mount_read_write("/v"));
        scenario.runner.mounts(&env, &scenario.cleanup).await.unwrap();
        if is_replaced {
            scenario.daemon.add_volume(volume.name(), json!({labels::VOLUME: "transient"}));
        }
        let daemon = scenario.daemon.clone();
        scenario.close().await;
        assert_eq!(daemon.volumes().len(), usize::from(is_replaced));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn key_is_in_a_file_and_in_no_label() {
    let scenario = Scenario::new().await;
    let key = RunKey::new([7; 32]);
    let run = scenario.run();
    scenario.daemon.wait_for_start(CONTAINER).await;
    let body = scenario.daemon.containers()[0].1.body.to_string();
    assert!(!body.contains(&key.reveal()), "{body}");
    assert_eq!(scenario.keys.find(RUN), Some(key));
    scenario.daemon.end(CONTAINER, 0).await;
    run.await.unwrap().unwrap();
    assert_eq!(scenario.close().await, (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn collection_removes_expired_keys_without_container() {
    let scenario = Scenario::new().await;
    let key = RunKey::new([7; 32]);
    let later = labels::expiry(None);
    for (run_id, expiry) in [("run-a", "1"), ("run-b", "1"), ("run-c", &later), (RUN, "1")] {
        scenario.keys.write(run_id, &key, expiry).unwrap();
    }
    scenario.daemon.add_container(CONTAINER, ended(json!({labels::RUN: RUN})));
    let kept = BTreeSet::from(["run-b".to_owned()]);
    for mode in [CollectMode::DryRun, CollectMode::Delete] {
        let collected = scenario.runner.collect(mode, &kept).await.unwrap();
        assert_eq!(collected.removed, ["key of run-a"]);
        let kept = collected.kept.iter().map(|kept| format!("{}: {}", kept.name, kept.reason));
        let expected = [
            format!("container {CONTAINER}: it has not expired"),
            format!("key of {RUN}: its run has a container"),
            "key of run-b: its run is young or detached".to_owned(),
            "key of run-c: it has not expired".to_owned(),
        ];
        assert_eq!(kept.collect::<Vec<_>>(), expected);
    }
    assert_eq!(scenario.keys.files().into_keys().collect::<Vec<_>>(), [RUN, "run-b", "run-c"]);
}
