//! An API server that is unreachable while closures run. It is the cluster's only one, so no other test may run
//! meanwhile.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use conformance::log_capture::capture_log_of_all_threads;
use hype::RunEnvironment;

use super::cluster::{Waiting, assert_gone, wait};

/// The duration of the outage.
const OUTAGE_DURATION: Duration = Duration::from_secs(60);

/// An outage of the cluster's API server: killed (a graceful stop takes a minute), and started again on drop.
struct Outage;

impl Outage {
    fn begin() -> Self {
        let directory = PathBuf::from(std::env::var("CLUSTER_DIR").unwrap());
        let pid = std::fs::read_to_string(directory.join("run/kube-apiserver.pid")).unwrap();
        assert!(Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap().success());
        Self
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        let up = format!("{}/up", std::env::var("HYPE_TEST_CLUSTER").unwrap());
        assert!(Command::new(up).output().unwrap().status.success());
    }
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn run_survives_api_server_outage() {
    let lines = capture_log_of_all_threads();
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        let outage = Outage::begin();
        // The Pod ends during the outage.
        waiting.release();
        tokio::time::sleep(OUTAGE_DURATION).await;
        drop(outage);
        let Waiting { run, signal, .. } = waiting;
        let id = run.id().to_owned();
        assert_eq!(run.wait().await.unwrap(), "gone");
        drop(signal);
        assert_gone(&id);
    });
    let lines = lines.lock().unwrap();
    let server = |line: &&String| line.contains("API server");
    let silence = lines.iter().filter(server).filter(|line| line.contains("has not answered for"));
    let answers = lines.iter().filter(server).filter(|line| line.contains("answers again"));
    assert_eq!((silence.count(), answers.count()), (1, 1), "{lines:#?}");
}
