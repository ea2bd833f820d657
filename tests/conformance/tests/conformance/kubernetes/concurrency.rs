//! Many concurrent runs.

use futures::future::try_join_all;
use hype::RunEnvironment;
use test_guests::values::greet;

use super::cluster::{kubernetes, wait};

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn fifty_concurrent_runs_succeed() {
    let submitter = kubernetes().unwrap();
    let env = RunEnvironment::new();
    let runs = (0..50).map(|number| submitter.submit(greet(number.to_string()), &env));
    let greetings = wait(try_join_all(runs)).unwrap();
    let expected: Vec<_> = (0..50).map(|number| format!("hello {number}")).collect();
    assert_eq!(greetings, expected);
}
