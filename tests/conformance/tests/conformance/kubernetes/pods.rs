//! What a Pod is made of: secrets, images, and a Pod of the user's own.

use hype::{Component, RunEnvironment};
use test_guests::surroundings::{list, read, variables};
use test_guests::values::greet;

use super::cluster::{Applied, Waiting, assert_gone, kubernetes, submitter, told, wait};

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_secrets_files_are_read_by_their_names() {
    let _secret = Applied::new(
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

/// The secret of the stage is for `hype-run` alone, which needs the key in it here.
#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_stage_secret_is_not_the_guests() {
    let _secret = Applied::new(
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
fn a_sidecar_that_never_ends_keeps_no_value() {
    let yaml = "
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: sidecar, image: 'busybox:test', command: [sleep, '100000']}
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
    told(&["wait", "--for=delete", "pod", "-l", &format!("com.spotify.hype/run={id}")]);
    assert_gone(&id);
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_pod_has_no_rights() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new().with_run_as(1234, 1234)).await;
        let of_pod = |path: &str| {
            told(&["get", "pod", &waiting.pod, "--output", &format!("jsonpath={{.spec{path}}}")])
        };
        assert_eq!(of_pod(".securityContext.runAsUser"), "1234");
        assert_eq!(of_pod(".automountServiceAccountToken"), "false");
        assert_eq!(of_pod(".containers[0].securityContext.readOnlyRootFilesystem"), "true");
        waiting.run.cancel().await.unwrap();
    });
}

/// The line that the Pod has vouches for the outcome, whoever asks.
#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn a_detached_pod_goes_with_who_attaches() {
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
fn an_image_of_the_closures_own_comes_first() {
    let submitter = kubernetes().unwrap();
    let env = RunEnvironment::new().with_image("127.0.0.1:1/none:1");
    let image = std::env::var("HYPE_IMAGE").unwrap();
    let closure = greet("you".into()).with_image(image);
    assert_eq!(wait(submitter.submit(closure, &env)).unwrap(), "hello you");
    let component = Component::open(conformance::cases::values::component("test-guests")).unwrap();
    assert!(component.function("greet").is_ok());
}
