//! Tests of logs and events that can't be read, or only in part.

use futures::StreamExt;
use serde_json::json;

use super::{
    POD, Scenario, ended, expect_error, expect_termination_line, running, termination_line,
};
use crate::environment::RunEnvironment;
use crate::runner::kubernetes::fake_api_server::Fault;

const FORBIDDEN: Fault = Fault::Error(
    403,
    "Forbidden",
    "pods \"hype-run-abcdefghij-1\" is forbidden: User \"me\" cannot get resource \"pods/log\" in API \
     group \"\" in the namespace \"default\"",
);

impl Scenario {
    fn forbid_logs(&self) {
        for _ in 0..100 {
            self.server.inject(&format!("GET pods/{POD}/log"), FORBIDDEN);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_log_is_marked_as_truncated() {
    let scenario = Scenario::new();
    scenario.forbid_logs();
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.update_pod(&running());
    scenario.server.wait_for_requests(&format!("GET pods/{POD}/log"), 1).await;
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
    assert_eq!(scenario.log.take_truncation(), Some([0, 0]));
    // While the Pod runs, after its end, and one retry since the denial may be transient.
    assert_eq!(scenario.count(&format!("GET pods/{POD}/log")), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_log_is_truncated_after_the_last_line_read() {
    let scenario = Scenario::new();
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.write("2026-11-22T07:00:00.1Z out\n2026-11-22T07:00:00.2Z \u{2063}err\n");
    scenario.server.write("2026-11-22T07:00:00.3Z another\n");
    scenario.server.update_pod(&running());
    let lines: Vec<_> = scenario.log.follow().take(3).map(|line| line.text).collect().await;
    assert_eq!(lines, ["out", "err", "another"]);
    scenario.forbid_logs();
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
    assert_eq!(scenario.log.take_truncation(), Some([2, 1]));
}

/// A restarted server denies the log for some seconds. The lines of that time come later.
#[tokio::test(flavor = "multi_thread")]
async fn live_output_resumes_after_a_denial() {
    let not_found = Fault::Error(404, "NotFound", "nodes \"n\" not found");
    let broken = Fault::Error(500, "InternalError", "Authorization error");
    let resumes = async |refusal| {
        let scenario = Scenario::new();
        let log = format!("GET pods/{POD}/log");
        let run = scenario.start(&RunEnvironment::new()).await;
        scenario.server.write("2026-11-22T07:00:00.1Z one\n");
        scenario.server.update_pod(&running());
        let mut lines = Box::pin(scenario.log.follow().map(|line| line.text));
        assert_eq!(lines.next().await.as_deref(), Some("one"));
        scenario.server.inject(&log, refusal);
        scenario.server.write("2026-11-22T07:00:00.2Z two\n");
        // The Pod is still running.
        assert_eq!(lines.next().await.as_deref(), Some("two"));
        scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
        expect_termination_line(run).await;
        assert_eq!(scenario.log.take_truncation(), None);
    };
    futures::join!(resumes(FORBIDDEN), resumes(not_found), resumes(broken));
}

/// Without an outcome, only the log has the last lines.
#[tokio::test(flavor = "multi_thread")]
async fn last_lines_are_read_after_transient_denials() {
    let scenario = Scenario::new();
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.write("2026-11-22T07:00:00.1Z one\n");
    scenario.server.update_pod(&running());
    let lines: Vec<_> = scenario.log.follow().take(1).collect().await;
    assert_eq!(lines[0].text, "one");
    for _ in 0..3 {
        scenario.server.inject(&format!("GET pods/{POD}/log"), FORBIDDEN);
    }
    scenario.server.write("2026-11-22T07:00:00.2Z error: no outcome\n");
    scenario.server.update_pod(&ended("Failed", 3, ""));
    let report = expect_error(run).await.report();
    assert!(report.contains("error: no outcome"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_succeeds_without_permission_for_events() {
    let scenario = Scenario::new();
    let forbidden = Fault::Error(403, "Forbidden", "events is forbidden: User \"me\" cannot watch");
    scenario.server.inject("WATCH events", forbidden);
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.wait_for_requests("WATCH events", 1).await;
    for node in ["gke-pool-1", "gke-pool-2"] {
        scenario.server.update_pod(&json!({"spec": {"nodeName": node}}));
    }
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
}

/// Without an outcome, the stage has no log.
#[tokio::test(flavor = "multi_thread")]
async fn run_without_log_or_outcome_is_lost() {
    let scenario = Scenario::new();
    scenario.forbid_logs();
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.update_pod(&ended("Failed", 3, ""));
    assert!(expect_error(run).await.is_lost());
    assert_eq!(scenario.log.take_truncation(), None);
}
