//! Restarted containers: a node may start any container again.

use std::collections::BTreeMap;
use std::process::Stdio;

use hype::RunEnvironment;
use serde_json::{Value, json};

use super::cluster::{AppliedYaml, NAMESPACE, Waiting, kubectl, kubectl_output, wait};

/// Returns the name of the Pod that [`restarting`] creates.
fn copy_of(waiting: &Waiting) -> String {
    format!("{}-again", waiting.pod)
}

/// Creates a copy of the Pod of `waiting` whose container is always restarted.
fn restarting(waiting: &Waiting) -> AppliedYaml {
    let pod = kubectl_output(&["get", "pod", &waiting.pod, "--output", "json"]);
    let mut pod: Value = serde_json::from_str(&pod).unwrap();
    pod["metadata"] = json!({"name": copy_of(waiting)});
    pod["spec"]["restartPolicy"] = json!("Always");
    pod.as_object_mut().unwrap().remove("status");
    AppliedYaml::new(&pod.to_string())
}

/// Watches the Pod until `is_done` accepts its container's status.
fn watch(pod: &str, mut is_done: impl FnMut(&Value) -> bool) {
    let mut watching = kubectl()
        .args(["--namespace", NAMESPACE, "get", "pod", pod, "--watch", "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pods = serde_json::Deserializer::from_reader(watching.stdout.take().unwrap());
    let is_seen = pods
        .into_iter::<Value>()
        .any(|pod| is_done(&pod.unwrap()["status"]["containerStatuses"][0]));
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert!(is_seen, "the watch ended");
}

/// Returns how the first two starts of the container ended.
fn ends(pod: &str) -> [Value; 2] {
    let mut ends = BTreeMap::new();
    watch(pod, |container| {
        let count = container["restartCount"].as_u64().unwrap_or_default();
        let (now, before) =
            (&container["state"]["terminated"], &container["lastState"]["terminated"]);
        if now.is_object() {
            ends.insert(count, now.clone());
        }
        if let (Some(count), true) = (count.checked_sub(1), before.is_object()) {
            ends.insert(count, before.clone());
        }
        ends.contains_key(&0) && ends.contains_key(&1)
    });
    [0, 1].map(|start| ends.remove(&start).unwrap())
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn restarted_container_repeats_termination_line() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        let (copy, _pod) = (copy_of(&waiting), restarting(&waiting));
        watch(&copy, |container| container["state"]["running"].is_object());
        waiting.release();
        let [first, second] = ends(&copy);
        assert_eq!((&first["exitCode"], &second["exitCode"]), (&json!(0), &json!(0)), "{second}");
        let line = first["message"].as_str().unwrap();
        assert!(line.starts_with("hype-outcome/"), "{first}");
        assert_eq!(second["message"].as_str().unwrap(), format!("{line}started-again\n"));
        // A second execution would have printed "waiting".
        assert_eq!(kubectl_output(&["logs", &copy]), "");
        waiting.run.wait().await.unwrap();
    });
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn container_restarted_after_kill_runs_nothing() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        let (copy, _pod) = (copy_of(&waiting), restarting(&waiting));
        watch(&copy, |container| container["state"]["running"].is_object());
        let uid = kubectl_output(&["get", "pod", &copy, "--output", "jsonpath={.metadata.uid}"]);
        // The marker file is the first thing that hype-run creates.
        while kill(&uid) == 0 {
            tokio::task::yield_now().await;
        }
        let [first, second] = ends(&copy);
        assert_eq!((&first["exitCode"], &second["exitCode"]), (&json!(137), &json!(4)), "{second}");
        assert!(kubectl_output(&["logs", &copy]).contains("this attempt was started before"));
        waiting.release();
        waiting.run.wait().await.unwrap();
    });
}

/// Kills the Pod's `hype-run` once its marker file exists. Returns the number of killed processes.
fn kill(uid: &str) -> usize {
    let mut killed = 0;
    for process in std::fs::read_dir("/proc").unwrap() {
        let process = process.unwrap().path();
        let of = |file| std::fs::read(process.join(file)).unwrap_or_default();
        let cgroup = String::from_utf8_lossy(&of("cgroup")).replace('_', "-");
        let is_marked = process.join("root/tmp/hype-run-started").exists();
        if cgroup.contains(uid) && of("cmdline").starts_with(b"/usr/bin/hype-run\0") && is_marked {
            let id = process.file_name().unwrap().to_str().unwrap().parse().unwrap();
            let id = rustix::process::Pid::from_raw(id).unwrap();
            rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
            killed += 1;
        }
    }
    killed
}
