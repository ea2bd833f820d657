//! Failures that only Pods have. Each test checks that nothing of its run remains.

use std::time::Duration;

use hype::kubernetes::PodTimeouts;
use hype::{ErrorKind, FailureKind, KubernetesRunner, RunEnvironment, VolumeRequest};
use test_guests::surroundings::{list, read, write};
use test_guests::values::greet;

use super::cluster::{
    AppliedYaml, NAMESPACE, Waiting, assert_claim_goes, assert_gone, kubectl_output, kubernetes,
    submitter, wait,
};

/// Returns the report of a failed greeting in `env`, and checks that nothing of the run remains.
fn report(env: &RunEnvironment, kind: ErrorKind) -> String {
    report_of(|runner| runner, env, kind)
}

fn report_of(
    change: impl FnOnce(KubernetesRunner) -> KubernetesRunner,
    env: &RunEnvironment,
    kind: ErrorKind,
) -> String {
    let submitter = submitter(change).unwrap();
    let run = submitter.spawn(greet("you".into()), env);
    let id = run.id().to_owned();
    let error = wait(run.wait()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    wait(submitter.close()).unwrap();
    assert_gone(&id);
    print_report(error.report())
}

/// Prints the report between markers, so that `--show-output` shows what users see.
fn print_report(report: String) -> String {
    eprintln!("---8<---\n{report}\n--->8---");
    report
}

/// Sets timeouts short enough for a test.
fn with_short_timeouts(runner: KubernetesRunner) -> KubernetesRunner {
    let mut timeouts = PodTimeouts::default();
    timeouts.image_pull = Duration::from_secs(3);
    timeouts.missing_object = Duration::from_secs(3);
    runner.with_pod_timeouts(timeouts).unwrap()
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn oom_killed_pod_is_reported() {
    let submitter = kubernetes().unwrap();
    // `with_retries` doesn't apply to this failure.
    let env = RunEnvironment::new().with_limit("memory", "96Mi").with_retries(1);
    let run = submitter.spawn(test_guests::ends::hoard(), &env);
    let id = run.id().to_owned();
    let error = wait(run.wait()).unwrap_err();
    assert!(error.is_out_of_memory() && error.exit_code() == 1, "{error:?}");
    let report = print_report(error.report());
    assert!(report.contains("-1 was OOM-killed after "), "{report}");
    assert!(report.contains("used up its memory limit of 96Mi"), "{report}");
    wait(submitter.close()).unwrap();
    assert_gone(&id);
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn deleted_pod_writes_interrupted_outcome() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        kubectl_output(&["delete", "pod", &waiting.pod, "--wait=false"]);
        let deletion = format!("pod {} was deleted by another client", waiting.pod);
        let error = waiting.error().await;
        assert_eq!(error.failure().unwrap().kind, FailureKind::Interrupted, "{error:?}");
        assert!(error.is_infrastructure());
        assert!(error.report().contains(&deletion), "{error:?}");
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn force_deleted_pod_is_lost() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        kubectl_output(&[
            "delete",
            "pod",
            &waiting.pod,
            "--wait=false",
            "--force",
            "--grace-period=0",
        ]);
        let error = waiting.error().await;
        assert!(error.is_lost(), "{error:?}");
        assert!(error.report().contains("was deleted by another client"), "{error:?}");
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn failed_image_pull_is_explained() {
    let env = RunEnvironment::new().with_image("127.0.0.1:1/none:1");
    let report = report_of(with_short_timeouts, &env, ErrorKind::Runner);
    assert!(report.starts_with("the image 127.0.0.1:1/none:1 cannot be pulled"), "{report}");
    assert!(report.contains("connection refused"), "{report}");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn image_without_hype_run_is_reported() {
    let env = RunEnvironment::new().with_image("hype-test/empty:1");
    let report = report(&env, ErrorKind::Runner);
    assert!(
        report.starts_with("the image hype-test/empty:1 has no hype-run that can be started"),
        "{report}"
    );
    assert!(report.contains("ENTRYPOINT [\"hype-run\"]"), "{report}");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn pod_without_outcome_is_lost() {
    // This entrypoint exits with status 0, whatever its arguments.
    let env = RunEnvironment::new().with_image("hype-test/idle:1");
    let report = report(&env, ErrorKind::Lost);
    assert!(report.contains("-1 succeeded, but wrote no outcome"), "{report}");
    assert!(report.contains("its last lines:"), "{report}");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn unschedulable_pod_is_explained() {
    let env = RunEnvironment::new()
        .with_request("cpu", "1000")
        .with_queue_timeout(Duration::from_secs(2));
    let report = report(&env, ErrorKind::Runner);
    assert!(report.contains("-1 found no node within 2s"), "{report}");
    assert!(report.contains("Insufficient cpu"), "{report}");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn pending_claim_is_explained() {
    let volume = VolumeRequest::transient("no-such-class", "10Mi");
    let env = RunEnvironment::new()
        .with_mount(volume.mount_read_write("/volume"))
        .with_queue_timeout(Duration::from_secs(4));
    let report = report(&env, ErrorKind::Runner);
    assert!(report.contains("unbound immediate PersistentVolumeClaims"), "{report}");
    let event = format!("claim {}: ProvisioningFailed: ", volume.name());
    assert!(report.contains(&event), "{report}");
    assert_claim_goes(volume.name());
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn missing_secret_is_named() {
    let env = RunEnvironment::new().with_secret("no-such-secret", "/etc/secret");
    let report = report_of(with_short_timeouts, &env, ErrorKind::Input);
    assert!(report.contains("secret \"no-such-secret\" not found"), "{report}");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn quota_and_permission_errors_fail_fast() {
    // The quota applies to a whole namespace, so it needs a namespace of its own.
    let _quota = AppliedYaml::new(
        "{apiVersion: v1, kind: Namespace, metadata: {name: full}}\n---\n\
         {apiVersion: v1, kind: ResourceQuota, metadata: {name: none, namespace: full}, \
         spec: {hard: {pods: 0}}}\n---\n\
         {apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, \
         metadata: {name: hype, namespace: full}, \
         roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}, \
         subjects: [{kind: ServiceAccount, name: hype, namespace: closures}]}",
    );
    let env = RunEnvironment::new();
    let quota = report(&env.with_namespace("full"), ErrorKind::Runner);
    assert!(quota.contains("exceeded quota: none, requested: pods=1"), "{quota}");
    assert!(quota.contains("kubectl describe quota"), "{quota}");
    let forbidden = report(&env.with_namespace("default"), ErrorKind::Runner);
    let right = "cannot create resource \"pods\" in API group \"\" in the namespace \"default\"";
    assert!(forbidden.contains(right), "{forbidden}");
    assert!(forbidden.contains("Hint: docs/kubernetes.md has a Role"), "{forbidden}");
    let left =
        kubectl_output(&["get", "pods,secrets", "--all-namespaces", "-l", "com.spotify.hype/run"]);
    assert!(!left.lines().any(|line| line.starts_with("full ")), "{left}");
    assert_ne!(NAMESPACE, "full");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn cancelled_run_deletes_its_pod() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        let id = waiting.run.id().to_owned();
        waiting.run.cancel().await.unwrap();
        assert_gone(&id);
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn unwritable_volume_error_names_the_user() {
    let directory = tempfile::tempdir().unwrap();
    let yaml = "spec: {containers: [{name: hype-run}]}";
    let runner = KubernetesRunner::new().unwrap().with_yaml_str(yaml).unwrap();
    let staging = std::env::var("HYPE_STAGING").unwrap();
    conformance::build_guests();
    let stage = hype::Stage::open_or_create(&staging).unwrap();
    let submitter = hype::Submitter::new(stage, runner).unwrap();
    let volume = hype::HostDirectory::new(directory.path()).mount_read_write("/volume");
    let env = RunEnvironment::new().with_mount(volume);
    let error = wait(submitter.submit(write("/volume/a".into(), "b".into()), &env)).unwrap_err();
    assert!(print_report(error.report()).contains("65532"), "{error:?}");
    assert!(error.report().contains("with_run_as"), "{error:?}");
    let own = env.with_run_as(0, 0);
    wait(submitter.submit(write("/volume/a".into(), "b".into()), &own)).unwrap();
    assert_eq!(wait(submitter.submit(read("/volume/a".into()), &own)).unwrap(), "b");
    assert_eq!(wait(submitter.submit(list("/volume".into()), &own)).unwrap(), ["a"]);
}
