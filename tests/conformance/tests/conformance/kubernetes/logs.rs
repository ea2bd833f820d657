//! Output of Pods whose logs can't be read: the lines come from the stage.

use futures::StreamExt;
use hype::RunEnvironment;
use hype::run::LogStream;
use test_guests::surroundings::say;

use super::cluster::{AppliedYaml, assert_gone, submitter, wait};

/// The rights of the account `other`: everything except reading logs.
const WITHOUT_LOGS: &str = "
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: other, namespace: closures}, rules: [
{apiGroups: [''], resources: [pods], verbs: [create, get, list, watch, delete]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: other, namespace: closures},
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: other},
subjects: [{kind: ServiceAccount, name: other, namespace: closures}]}";

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn output_arrives_without_log_permission() {
    let _rights = AppliedYaml::new(WITHOUT_LOGS);
    let submitter = submitter(|runner| runner.with_context("other").unwrap()).unwrap();
    let mut ids = Vec::new();
    // The outcome carries the first log; the second is too long, so the stage keeps it.
    for count in [3, 20_000] {
        let numbers: String = (0..count).map(|number| format!("{number}\n")).collect();
        wait(async {
            let run = submitter.spawn(say(numbers, "error\n".into()), &RunEnvironment::new());
            let (id, logs) = (run.id().to_owned(), run.logs());
            run.wait().await.unwrap();
            let lines: Vec<_> = logs.collect().await;
            let (out, err): (Vec<_>, Vec<_>) =
                lines.into_iter().partition(|line| line.stream == LogStream::Stdout);
            assert_eq!(err.into_iter().map(|line| line.text).collect::<Vec<_>>(), ["error"]);
            // The submitter keeps about 10,000 lines.
            let kept = (0..count).map(|number| number.to_string());
            let kept: Vec<_> = kept.skip(out.len().abs_diff(count)).collect();
            assert!(out.len() >= count.min(9_999), "{}", out.len());
            assert_eq!(out.into_iter().map(|line| line.text).collect::<Vec<_>>(), kept);
            ids.push(id);
        });
    }
    wait(submitter.close()).unwrap();
    ids.iter().for_each(|id| assert_gone(id));
}
