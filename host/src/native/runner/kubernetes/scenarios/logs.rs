//! Logs that can't be read, or not to their end, and events that can't.

use futures::StreamExt;
use serde_json::json;

use super::{POD, Scenario, ended, error_of, line, line_of, running};
use crate::environment::RunEnvironment;
use crate::runner::kubernetes::scripted::Answer;

const FORBIDDEN: Answer = Answer::Refusal(
    403,
    "Forbidden",
    "pods \"hype-run-abcdefghij-1\" is forbidden: User \"me\" cannot get resource \"pods/log\" in API \
     group \"\" in the namespace \"default\"",
);

impl Scenario {
    fn forbid_logs(&self) {
        for _ in 0..100 {
            self.server.answer(&format!("GET pods/{POD}/log"), FORBIDDEN);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_forbidden_is_left_to_the_stage_and_not_asked_for_again_and_again() {
    let scenario = Scenario::new();
    scenario.forbid_logs();
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.pod(&running());
    scenario.server.asked(&format!("GET pods/{POD}/log"), 1).await;
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
    assert_eq!(scenario.log.take_cut(), Some([0, 0]));
    // While it runs, when it has ended, and once more since rights may be there a moment later.
    assert_eq!(scenario.count(&format!("GET pods/{POD}/log")), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_of_a_log_that_breaks_off_is_not_taken_again() {
    let scenario = Scenario::new();
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.write("2026-11-22T07:00:00.1Z out\n2026-11-22T07:00:00.2Z \u{2063}err\n");
    scenario.server.write("2026-11-22T07:00:00.3Z another\n");
    scenario.server.pod(&running());
    let lines: Vec<_> = scenario.log.follow().take(3).map(|line| line.text).collect().await;
    assert_eq!(lines, ["out", "err", "another"]);
    scenario.forbid_logs();
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
    assert_eq!(scenario.log.take_cut(), Some([2, 1]));
}

/// A server that has just restarted refuses a log for some seconds. What is written meanwhile comes later.
#[tokio::test(flavor = "multi_thread")]
async fn live_output_resumes_after_the_server_refused_the_log() {
    let not_found = Answer::Refusal(404, "NotFound", "nodes \"n\" not found");
    let broken = Answer::Refusal(500, "InternalError", "Authorization error");
    let resumes = async |refusal| {
        let scenario = Scenario::new();
        let log = format!("GET pods/{POD}/log");
        let run = scenario.begun(&RunEnvironment::new()).await;
        scenario.server.write("2026-11-22T07:00:00.1Z one\n");
        scenario.server.pod(&running());
        let mut lines = Box::pin(scenario.log.follow().map(|line| line.text));
        assert_eq!(lines.next().await.as_deref(), Some("one"));
        scenario.server.answer(&log, refusal);
        scenario.server.write("2026-11-22T07:00:00.2Z two\n");
        // While it still runs.
        assert_eq!(lines.next().await.as_deref(), Some("two"));
        scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
        line_of(run).await;
        assert_eq!(scenario.log.take_cut(), None);
    };
    futures::join!(resumes(FORBIDDEN), resumes(not_found), resumes(broken));
}

/// Without an outcome nothing else has the last lines.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_lines_are_read_although_the_server_refuses_the_log_for_a_while() {
    let scenario = Scenario::new();
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.write("2026-11-22T07:00:00.1Z one\n");
    scenario.server.pod(&running());
    let lines: Vec<_> = scenario.log.follow().take(1).collect().await;
    assert_eq!(lines[0].text, "one");
    for _ in 0..3 {
        scenario.server.answer(&format!("GET pods/{POD}/log"), FORBIDDEN);
    }
    scenario.server.write("2026-11-22T07:00:00.2Z error: no outcome\n");
    scenario.server.pod(&ended("Failed", 3, ""));
    let report = error_of(run).await.report();
    assert!(report.contains("error: no outcome"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_events_goes_without() {
    let scenario = Scenario::new();
    let forbidden =
        Answer::Refusal(403, "Forbidden", "events is forbidden: User \"me\" cannot watch");
    scenario.server.answer("WATCH events", forbidden);
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.asked("WATCH events", 1).await;
    for node in ["gke-pool-1", "gke-pool-2"] {
        scenario.server.pod(&json!({"spec": {"nodeName": node}}));
    }
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
}

/// Without an outcome there is nothing in the stage.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_forbidden_is_lost_with_its_outcome() {
    let scenario = Scenario::new();
    scenario.forbid_logs();
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.pod(&ended("Failed", 3, ""));
    assert!(error_of(run).await.is_lost());
    assert_eq!(scenario.log.take_cut(), None);
}
