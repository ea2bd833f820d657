//! Tests of copying the log of a container that another process started.

use std::time::Duration;

use serde_json::json;

use super::{CONTAINER, RUN};
use crate::run::log::Log;
use crate::runner::docker::fake_daemon::{Container, FakeDaemon, Fault};
use crate::runner::{DockerRunner, LogMode, Runner};

const LOGS: &str = "GET containers/id-of-hype-run-abcdefghij-1/logs";

/// Follows the log of a container with this exit status, and returns its lines and the number of requests for it.
/// Applies `faults` to these requests.
async fn followed(status: Option<i64>, faults: &[Fault]) -> (Vec<String>, usize) {
    let daemon = FakeDaemon::start().await;
    let body = json!({"Labels": {"com.spotify.hype/run": RUN}});
    let output = "one\ntwo\nthree\n".to_owned();
    daemon.add_container(CONTAINER, Container { body, starts: 1, status, output });
    for fault in faults {
        daemon.inject(LOGS, *fault);
    }
    let (runner, log) = (DockerRunner::at(daemon.host()).unwrap(), Log::new("greet"));
    let copying = runner.copy_log(RUN, 1, log.clone(), LogMode::Follow);
    tokio::time::timeout(Duration::from_secs(60), copying).await.unwrap();
    let requests = daemon.requests().iter().filter(|request| *request == LOGS).count();
    (log.kept(None).into_iter().map(|line| line.text).collect(), requests)
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_log_of_a_running_container_is_resumed() {
    let faults = [Fault::CutLog(6), Fault::Error(500), Fault::CutLog(9), Fault::CutLog(0)];
    let (lines, requests) = followed(None, &faults).await;
    assert_eq!((lines, requests), (["one", "two", "three"].map(String::from).into(), 5));
}

/// The outcome has the missing lines.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_log_of_an_ended_container_is_not_resumed() {
    let (lines, requests) = followed(Some(0), &[Fault::CutLog(8)]).await;
    assert_eq!((lines, requests), (["one", "two"].map(String::from).into(), 1));
}
