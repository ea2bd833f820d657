use super::*;
use crate::environment::mount::{HostDirectory, VolumeRequest};
use crate::runner::StageSecret;
use std::time::Duration;

fn process(env: RunEnvironment) -> Process {
    let mut process = Process::example(env);
    process.labels.insert(labels::FUNCTION, "guests::greet".into());
    process.labels.insert(labels::COMPONENT, "guests.wasm".into());
    process.labels.insert(labels::SUBMITTER, "me".into());
    process
}

fn parts() -> Parts {
    Parts { variables: BTreeMap::new(), is_stage_on_loopback: false, claims: Vec::new() }
}

/// The Pod's YAML.
fn yaml(process: &Process, parts: &Parts) -> String {
    let pod = pod(process, parts).unwrap();
    serde_saphyr::to_string(&serde_json::to_value(&pod).unwrap()).unwrap()
}

fn refused(process: &Process, parts: &Parts) -> String {
    pod(process, parts).unwrap_err().report()
}

#[test]
fn a_pod_has_no_rights_that_it_does_not_need() {
    insta::assert_snapshot!("plain", yaml(&process(RunEnvironment::new()), &parts()));
}

/// `env.withRequest("cpu", "750m")` and `withSecret("gcp-key", "/etc/gcloud")` of the ancestor's.
#[test]
fn the_ancestors_environment() {
    let env = RunEnvironment::new()
        .with_secret("gcp-key", "/etc/gcloud")
        .with_request("cpu", "750m")
        .with_image("us.gcr.io/my-image:42");
    let process = Process { image: Some("us.gcr.io/my-image:42".into()), ..process(env) };
    insta::assert_snapshot!("ancestor", yaml(&process, &parts()));
}

#[test]
fn the_ancestors_yaml_stays_as_it_is() {
    let yaml_of_user = include_str!("../tests/ancestor.yaml");
    let env = RunEnvironment::from_yaml_str(yaml_of_user).unwrap().with_request("cpu", "750m");
    insta::assert_snapshot!("ancestor_yaml", yaml(&process(env), &parts()));
}

#[test]
fn everything_that_an_environment_names_is_there() {
    let volume = VolumeRequest::persistent("models", "ssd", "1Gi");
    let env = RunEnvironment::new()
        .with_mount(volume.mount_read_only("/models"))
        .with_mount(HostDirectory::new("/mnt/data").mount_read_write("/data"))
        .with_secret("gcp-key", "/etc/gcloud")
        .with_request("memory", "512Mi")
        .with_request("nvidia.com/gpu", "1")
        .with_limit("memory", "1Gi")
        .with_timeout(Duration::from_secs(60))
        .with_service_account("reader")
        .with_node_selector("kubernetes.io/arch", "arm64")
        .with_node_selector("pool", "gpus")
        .with_toleration(Toleration::of("spot"))
        .with_toleration(Toleration::of("gpu").with_value("yes").with_effect("NoSchedule"))
        .with_image_pull_secret("registry")
        .with_priority_class("batch")
        .with_label("team", "music")
        .with_run_as(1000, 2000)
        // The guest's own variables stand in the manifest.
        .with_env("TOKEN", "hush");
    let parts = Parts {
        variables: [("STORAGE_EMULATOR_HOST".to_owned(), "127.0.0.1:1".to_owned())].into(),
        is_stage_on_loopback: true,
        claims: vec![Claim { name: "models".into(), is_of_one_node: true }],
    };
    let secret = StageSecret { name: "stage-key".into(), path: "/etc/stage".into() };
    let process = Process { stage_secret: Some(secret), ..process(env) };
    insta::assert_snapshot!("everything", yaml(&process, &parts));
}

#[test]
fn what_the_users_own_pod_says_comes_before_defaults_and_after_what_is_named() {
    let env = RunEnvironment::from_yaml_str(include_str!("../tests/base.yaml")).unwrap();
    let env = env
        .with_request("memory", "2Gi")
        .with_label("team", "ours")
        .with_node_selector("pool", "ours")
        .with_service_account("ours");
    insta::assert_snapshot!("base", yaml(&process(env.clone()), &parts()));
    assert_eq!(architecture(&env), "arm64");
    let spec = pod(&process(env.with_run_as(7, 8)), &parts()).unwrap().spec.unwrap();
    let (of_pod, of_container) =
        (spec.security_context.unwrap(), spec.containers[1].security_context.clone().unwrap());
    assert_eq!((of_pod.run_as_user, of_container.run_as_user), (Some(7), None));
}

#[test]
fn what_stands_in_one_place_is_told() {
    let env = RunEnvironment::new;
    let here = HostDirectory::new("/mnt");
    let stage = |env, path: &str| Process {
        stage_secret: Some(StageSecret { name: "stage".into(), path: path.into() }),
        ..process(env)
    };
    for (process, told) in [
        (
            stage(env().with_mount(here.mount_read_only("/etc/stage/a")), "/etc/stage"),
            "the stage's secret at `/etc/stage` and the mount at `/etc/stage/a` overlap",
        ),
        (
            stage(env().with_secret("key", "/etc"), "/etc/stage"),
            "the stage's secret at `/etc/stage` and the secret at `/etc` overlap",
        ),
        (stage(env(), "/proc/key"), "`/proc/key`"),
        (process(env().with_request("cpu", "many")), "`many` is no quantity of cpu"),
        (process(env().with_limit("memory", "4GB")), "`4GB` is no quantity of memory"),
    ] {
        let report = refused(&process, &parts());
        assert!(report.contains(told), "{report}");
    }
    let base = |volumes: &str| {
        let yaml = format!("spec: {{containers: [{{name: hype-run, volumeMounts: [{volumes}]}}]}}");
        RunEnvironment::from_yaml_str(&yaml).unwrap()
    };
    let mine = base("{name: a, mountPath: /etc/gcloud/x}").with_secret("key", "/etc/gcloud");
    let report = refused(&process(mine), &parts());
    let told = "`/etc/gcloud/x` in the Pod's YAML and the secret at `/etc/gcloud` overlap";
    assert!(report.contains(told), "{report}");
    let name = "spec: {containers: [{name: hype-run}], volumes: [{name: hype-tmp}]}";
    let report = refused(&process(RunEnvironment::from_yaml_str(name).unwrap()), &parts());
    assert!(report.contains("has a volume `hype-tmp`"), "{report}");
    // What has a place in the user's own Pod needs none of ours.
    let tmp = pod(&process(base("{name: a, mountPath: /tmp}")), &parts()).unwrap().spec.unwrap();
    assert!(tmp.volumes.iter().flatten().all(|volume| volume.name != "hype-tmp"));
}

#[test]
fn a_pod_asks_for_the_disk_that_its_files_take() {
    let asked = |env: RunEnvironment, disk| {
        let process = Process { disk, ..process(env) };
        let pod = pod(&process, &parts()).unwrap();
        let resources = pod.spec.unwrap().containers.remove(0).resources.unwrap();
        resources.requests.unwrap_or_default().get("ephemeral-storage").map(|it| it.0.clone())
    };
    let env = RunEnvironment::new();
    assert_eq!(asked(env.clone(), 0).as_deref(), Some("128Mi"));
    assert_eq!(asked(env.clone(), (1 << 30) + 1).as_deref(), Some("1153Mi"));
    // What a person says comes first.
    let less = env.with_request("ephemeral-storage", "10Mi");
    assert_eq!(asked(less, 1 << 30).as_deref(), Some("10Mi"));
    assert_eq!(asked(env.with_limit("ephemeral-storage", "1Gi"), 0), None);
}
