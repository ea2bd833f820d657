//! Properties of a Pod: secrets, images, rights, and user-defined Pods.

use hype::{Component, RunEnvironment};
use test_guests::surroundings::{list, read, variables};
use test_guests::values::greet;

use super::cluster::{
    AppliedYaml, Waiting, assert_gone, kubectl_output, kubernetes, submitter, wait,
};

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn secret_files_have_their_names() {
    let _secret = AppliedYaml::new(
        "{apiVersion: v1, kind: Secret, metadata: {name: words}, stringData: {word: sesame}}",
    );
    let submitter = kubernetes().unwrap();
    let env = RunEnvironment::new().with_secret("words", "/etc/words");
    wait(async {
        let word = submitter.submit(read("/etc/words/word".into()), &env).await.unwrap();
        assert_eq!(word, "sesame");
        let names = submitter.submit(list("/etc/words".into()), &env).await.unwrap();
        assert!(names.contains(&"word".to_owned()), "{names:?}");
    });
}

/// Only `hype-run` sees the stage's secret.
#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn stage_secret_is_hidden_from_guest() {
    let _secret = AppliedYaml::new(
        "{apiVersion: v1, kind: Secret, metadata: {name: stage}, stringData: {key.json: '{}'}}",
    );
    let submitter = kubernetes().unwrap().with_stage_secret("stage", "/etc/stage");
    let env = RunEnvironment::new();
    wait(async {
        let read = submitter.submit(read("/etc/stage/key.json".into()), &env).await;
        let error = read.unwrap_err();
        assert_eq!(error.failure().map(|failure| failure.kind), Some(hype::FailureKind::Function));
        let seen = submitter.submit(variables(), &env).await.unwrap();
        assert!(!seen.contains_key("GOOGLE_APPLICATION_CREDENTIALS"), "{seen:?}");
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn endless_sidecar_does_not_delay_value() {
    let yaml = "
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: sidecar, image: 'hype-test/commands:1', command: [sleep, '100000']}
  - name: hype-run
    env: [{name: EXAMPLE, value: my-env-value}]
";
    let submitter = kubernetes().unwrap();
    let env = RunEnvironment::from_yaml_str(yaml).unwrap();
    let run = submitter.spawn(variables(), &env);
    let id = run.id().to_owned();
    let seen = wait(run.wait()).unwrap();
    assert_eq!(seen["EXAMPLE"], "my-env-value");
    wait(submitter.close()).unwrap();
    kubectl_output(&["wait", "--for=delete", "pod", "-l", &format!("com.spotify.hype/run={id}")]);
    assert_gone(&id);
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn pod_has_no_privileges() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new().with_run_as(1234, 1234)).await;
        let of_pod = |path: &str| {
            kubectl_output(&[
                "get",
                "pod",
                &waiting.pod,
                "--output",
                &format!("jsonpath={{.spec{path}}}"),
            ])
        };
        assert_eq!(of_pod(".securityContext.runAsUser"), "1234");
        assert_eq!(of_pod(".automountServiceAccountToken"), "false");
        assert_eq!(of_pod(".containers[0].securityContext.readOnlyRootFilesystem"), "true");
        waiting.run.cancel().await.unwrap();
    });
}

/// The Pod's termination line proves the outcome to any attacher.
#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn attacher_removes_detached_pod() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        waiting.release();
        let Waiting { run, signal, .. } = waiting;
        let id = run.detach().await.unwrap();
        let other = submitter(|runner| runner).unwrap().with_strict_results();
        assert_eq!(other.attach::<String>(&id).wait().await.unwrap(), "gone");
        other.close().await.unwrap();
        assert_gone(&id);
        drop(signal);
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn closure_image_overrides_environment_image() {
    let submitter = kubernetes().unwrap();
    let env = RunEnvironment::new().with_image("127.0.0.1:1/none:1");
    let image = std::env::var("HYPE_IMAGE").unwrap();
    let closure = greet("you".into()).with_image(image);
    assert_eq!(wait(submitter.submit(closure, &env)).unwrap(), "hello you");
    let component = Component::open(conformance::cases::values::component("test-guests")).unwrap();
    assert!(component.function("greet").is_ok());
}
