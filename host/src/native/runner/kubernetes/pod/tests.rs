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

fn options() -> PodOptions {
    PodOptions {
        variables: BTreeMap::new(),
        is_stage_on_loopback: false,
        claims: Vec::new(),
        runtime_class: None,
    }
}

/// Returns the Pod's YAML.
fn yaml(process: &Process, options: &PodOptions) -> String {
    let pod = pod(process, options).unwrap();
    serde_saphyr::to_string(&serde_json::to_value(&pod).unwrap()).unwrap()
}

fn error_report(process: &Process, options: &PodOptions) -> String {
    pod(process, options).unwrap_err().report()
}

#[test]
fn pod_has_minimal_privileges() {
    insta::assert_snapshot!("plain", yaml(&process(RunEnvironment::new()), &options()));
}

/// The Java version's example: `env.withRequest("cpu", "750m").withSecret("gcp-key", "/etc/gcloud")`.
#[test]
fn java_example_converts_to_a_pod() {
    let env = RunEnvironment::new()
        .with_secret("gcp-key", "/etc/gcloud")
        .with_request("cpu", "750m")
        .with_image("us.gcr.io/my-image:42");
    let process = Process { image: Some("us.gcr.io/my-image:42".into()), ..process(env) };
    insta::assert_snapshot!("java_example", yaml(&process, &options()));
}

#[test]
fn java_yaml_converts_to_a_pod() {
    let yaml_of_user = include_str!("../tests/java_version.yaml");
    let env = RunEnvironment::from_yaml_str(yaml_of_user).unwrap().with_request("cpu", "750m");
    insta::assert_snapshot!("java_yaml", yaml(&process(env), &options()));
}

#[test]
fn pod_has_all_settings_of_its_environment() {
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
        // The guest's variables are in the manifest, not in the Pod.
        .with_env("TOKEN", "hush");
    let options = PodOptions {
        variables: [("STORAGE_EMULATOR_HOST".to_owned(), "127.0.0.1:1".to_owned())].into(),
        is_stage_on_loopback: true,
        claims: vec![Claim { name: "models".into(), is_single_node: true }],
        runtime_class: Some("gvisor".into()),
    };
    let secret = StageSecret { name: "stage-key".into(), path: "/etc/stage".into() };
    let process = Process { stage_secret: Some(secret), ..process(env) };
    insta::assert_snapshot!("everything", yaml(&process, &options));
}

#[test]
fn environment_overrides_template_overrides_defaults() {
    let env = RunEnvironment::from_yaml_str(include_str!("../tests/base.yaml")).unwrap();
    let env = env
        .with_request("memory", "2Gi")
        .with_label("team", "ours")
        .with_node_selector("pool", "ours")
        .with_service_account("ours");
    insta::assert_snapshot!("base", yaml(&process(env.clone()), &options()));
    assert_eq!(architecture(&env), "arm64");
    let spec = pod(&process(env.with_run_as(7, 8)), &options()).unwrap().spec.unwrap();
    let (of_pod, of_container) =
        (spec.security_context.unwrap(), spec.containers[1].security_context.clone().unwrap());
    assert_eq!((of_pod.run_as_user, of_container.run_as_user), (Some(7), None));
}

#[test]
fn overlapping_paths_and_invalid_quantities_are_rejected() {
    let env = RunEnvironment::new;
    let here = HostDirectory::new("/mnt");
    let stage = |env, path: &str| Process {
        stage_secret: Some(StageSecret { name: "stage".into(), path: path.into() }),
        ..process(env)
    };
    for (process, expected) in [
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
        let report = error_report(&process, &options());
        assert!(report.contains(expected), "{report}");
    }
    let base = |volumes: &str| {
        let yaml = format!("spec: {{containers: [{{name: hype-run, volumeMounts: [{volumes}]}}]}}");
        RunEnvironment::from_yaml_str(&yaml).unwrap()
    };
    let mine = base("{name: a, mountPath: /etc/gcloud/x}").with_secret("key", "/etc/gcloud");
    let report = error_report(&process(mine), &options());
    let expected = "`/etc/gcloud/x` in the Pod's YAML and the secret at `/etc/gcloud` overlap";
    assert!(report.contains(expected), "{report}");
    let name = "spec: {containers: [{name: hype-run}], volumes: [{name: hype-tmp}]}";
    let report = error_report(&process(RunEnvironment::from_yaml_str(name).unwrap()), &options());
    assert!(report.contains("has a volume `hype-tmp`"), "{report}");
    // A mount at `/tmp` in the user's Pod replaces ours.
    let tmp = pod(&process(base("{name: a, mountPath: /tmp}")), &options()).unwrap().spec.unwrap();
    assert!(tmp.volumes.iter().flatten().all(|volume| volume.name != "hype-tmp"));
}

#[test]
fn pod_requests_disk_for_its_staged_files() {
    let requested = |env: RunEnvironment, disk| {
        let process = Process { disk, ..process(env) };
        let pod = pod(&process, &options()).unwrap();
        let resources = pod.spec.unwrap().containers.remove(0).resources.unwrap();
        resources.requests.unwrap_or_default().get("ephemeral-storage").map(|it| it.0.clone())
    };
    let env = RunEnvironment::new();
    assert_eq!(requested(env.clone(), 0).as_deref(), Some("128Mi"));
    assert_eq!(requested(env.clone(), (1 << 30) + 1).as_deref(), Some("1153Mi"));
    // The user's request has priority.
    let less = env.with_request("ephemeral-storage", "10Mi");
    assert_eq!(requested(less, 1 << 30).as_deref(), Some("10Mi"));
    assert_eq!(requested(env.with_limit("ephemeral-storage", "1Gi"), 0), None);
}
