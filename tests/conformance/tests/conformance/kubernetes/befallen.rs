//! The ends that only Pods have. After each, nothing is left of its run.

use std::time::Duration;

use hype::kubernetes::Graces;
use hype::{ErrorKind, FailureKind, KubernetesRunner, RunEnvironment, VolumeRequest};
use test_guests::surroundings::{list, read, write};
use test_guests::values::greet;

use super::cluster::{
    Applied, NAMESPACE, Waiting, assert_claim_goes, assert_gone, kubernetes, submitter, told, wait,
};

/// The report of what comes of a greeting in `env`; nothing of it is left then.
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
    tell(error.report())
}

/// The record of an end: what a user is told, where the tests show their output.
fn tell(report: String) -> String {
    eprintln!("---8<---\n{report}\n--->8---");
    report
}

/// Graces that a test can wait for.
fn hasty(runner: KubernetesRunner) -> KubernetesRunner {
    let mut graces = Graces::default();
    graces.image = Duration::from_secs(3);
    graces.missing = Duration::from_secs(3);
    runner.with_graces(graces).unwrap()
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_pod_without_memory_is_told_apart() {
    let submitter = kubernetes().unwrap();
    // It isn't tried again.
    let env = RunEnvironment::new().with_limit("memory", "96Mi").with_retries(1);
    let run = submitter.spawn(test_guests::ends::hoard(), &env);
    let id = run.id().to_owned();
    let error = wait(run.wait()).unwrap_err();
    assert!(error.is_out_of_memory() && error.exit_code() == 1, "{error:?}");
    let report = tell(error.report());
    assert!(report.contains("-1 was OOM-killed after "), "{report}");
    assert!(report.contains("used up its memory limit of 96Mi"), "{report}");
    wait(submitter.close()).unwrap();
    assert_gone(&id);
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_pod_that_somebody_deletes_leaves_an_outcome_that_says_so() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        told(&["delete", "pod", &waiting.pod, "--wait=false"]);
        let somebody = format!("somebody deleted pod {}", waiting.pod);
        let error = waiting.error().await;
        assert_eq!(error.failure().unwrap().kind, FailureKind::Interrupted, "{error:?}");
        assert!(error.is_infrastructure());
        assert!(error.report().contains(&somebody), "{error:?}");
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_pod_that_somebody_removes_by_force_is_lost() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        told(&["delete", "pod", &waiting.pod, "--wait=false", "--force", "--grace-period=0"]);
        let error = waiting.error().await;
        assert!(error.is_lost(), "{error:?}");
        assert!(error.report().contains("somebody deleted pod hype-run-"), "{error:?}");
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn an_image_that_cannot_be_pulled_says_why() {
    let env = RunEnvironment::new().with_image("127.0.0.1:1/none:1");
    let report = report_of(hasty, &env, ErrorKind::Runner);
    assert!(report.starts_with("the image 127.0.0.1:1/none:1 cannot be pulled"), "{report}");
    assert!(report.contains("connection refused"), "{report}");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn an_image_without_hype_run_says_so() {
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
fn a_pod_that_succeeds_without_an_outcome_is_lost() {
    // It ends with status 0, whatever else it is told.
    let env = RunEnvironment::new().with_image("hype-test/idle:1");
    let report = report(&env, ErrorKind::Lost);
    assert!(report.contains("-1 succeeded, and left no outcome"), "{report}");
    assert!(report.contains("its last lines:"), "{report}");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_pod_that_no_node_takes_says_why() {
    let env = RunEnvironment::new()
        .with_request("cpu", "1000")
        .with_queue_timeout(Duration::from_secs(2));
    let report = report(&env, ErrorKind::Runner);
    assert!(report.contains("-1 found no node within 2s"), "{report}");
    assert!(report.contains("Insufficient cpu"), "{report}");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_claim_that_stays_pending_says_why() {
    let volume = VolumeRequest::transient("no-such-class", "10Mi");
    let env = RunEnvironment::new()
        .with_mount(volume.mount_read_write("/volume"))
        .with_queue_timeout(Duration::from_secs(4));
    let report = report(&env, ErrorKind::Runner);
    assert!(report.contains("unbound immediate PersistentVolumeClaims"), "{report}");
    let told_of = format!("claim {}: ProvisioningFailed: ", volume.name());
    assert!(report.contains(&told_of), "{report}");
    assert_claim_goes(volume.name());
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_missing_secret_is_named() {
    let env = RunEnvironment::new().with_secret("no-such-secret", "/etc/secret");
    let report = report_of(hasty, &env, ErrorKind::Input);
    assert!(report.contains("secret \"no-such-secret\" not found"), "{report}");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_used_up_quota_and_a_missing_right_are_told_at_once() {
    // Another namespace: the quota is for all that is in it.
    let _quota = Applied::new(
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
    let left = told(&["get", "pods,secrets", "--all-namespaces", "-l", "com.spotify.hype/run"]);
    assert!(!left.lines().any(|line| line.starts_with("full ")), "{left}");
    assert_ne!(NAMESPACE, "full");
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_cancelled_pod_is_gone() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        let id = waiting.run.id().to_owned();
        waiting.run.cancel().await.unwrap();
        assert_gone(&id);
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_volume_of_root_says_who_cannot_write() {
    let directory = tempfile::tempdir().unwrap();
    let yaml = "spec: {containers: [{name: hype-run}]}";
    let runner = KubernetesRunner::new().unwrap().with_yaml_str(yaml).unwrap();
    let staging = std::env::var("HYPE_STAGING").unwrap();
    conformance::build_guests();
    let stage = hype::Stage::open_or_make(&staging).unwrap();
    let submitter = hype::Submitter::new(stage, runner).unwrap();
    let volume = hype::HostDirectory::new(directory.path()).mount_read_write("/volume");
    let env = RunEnvironment::new().with_mount(volume);
    let error = wait(submitter.submit(write("/volume/a".into(), "b".into()), &env)).unwrap_err();
    assert!(tell(error.report()).contains("65532"), "{error:?}");
    assert!(error.report().contains("with_run_as"), "{error:?}");
    let own = env.with_run_as(0, 0);
    wait(submitter.submit(write("/volume/a".into(), "b".into()), &own)).unwrap();
    assert_eq!(wait(submitter.submit(read("/volume/a".into()), &own)).unwrap(), "b");
    assert_eq!(wait(submitter.submit(list("/volume".into()), &own)).unwrap(), ["a"]);
}
