//! Submits without a named submitter: a scope, the default, and a component by path or by bytes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use conformance::cases::values::component;
use hype::{Component, ErrorKind, RunEnvironment, Submitter};
use test_guests::surroundings::variables;
use test_guests::values::greet;

fn local(stage: &tempfile::TempDir) -> Submitter {
    Submitter::local_with(&format!("file://{}", stage.path().display())).unwrap()
}

#[tokio::test]
async fn closure_can_be_awaited() {
    conformance::build_guests();
    let stage = tempfile::tempdir().unwrap();
    let base = RunEnvironment::new().with_env("WHERE", "default");
    hype::set_default(local(&stage), base.clone());
    assert_eq!(greet("you".into()).await.unwrap(), "hello you");
    assert_eq!(variables().await.unwrap()["WHERE"], "default");

    let other = base.with_env("WHERE", "other");
    assert_eq!(variables().in_env(&other).await.unwrap()["WHERE"], "other");

    let scoped = base.with_env("WHERE", "scope");
    let seen = hype::scope(local(&stage), scoped, async { variables().await.unwrap() }).await;
    assert_eq!(seen["WHERE"], "scope");
    assert_eq!(variables().await.unwrap()["WHERE"], "default");

    let path = component("test-library");
    let env = RunEnvironment::new();
    let error = hype::submit::<String>(&path, ("ab",), &env).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("has several functions"), "{error}");

    let twice = || Component::open(&path)?.function("twice");
    let text: String = hype::submit(twice(), ("ab",), &env).await.unwrap();
    assert_eq!(text, "abab");
    let bytes = std::fs::read(&path).unwrap();
    let function = Component::new("bytes", bytes).unwrap().function("twice").unwrap();
    let text: String = hype::submit(function, (String::from("c"),), &env).await.unwrap();
    assert_eq!(text, "cc");
    let error = hype::submit::<String>("/no/such.wasm", (), &env).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot read the component /no/such.wasm");
}

#[tokio::test]
async fn submits_run_as_spawned_tasks() {
    conformance::build_guests();
    let stage = tempfile::tempdir().unwrap();
    let submitter = local(&stage);
    let env = RunEnvironment::new();
    let spawned: Vec<_> = (0..4)
        .map(|index| tokio::spawn(submitter.submit(greet(index.to_string()), &env)))
        .collect();
    for (index, spawned) in spawned.into_iter().enumerate() {
        assert_eq!(spawned.await.unwrap().unwrap(), format!("hello {index}"));
    }
}
