//! Tests of lists of runs in Docker that other programs started.

use futures::StreamExt;

use super::{CONTAINER, Detached, Fault, RUN};
use crate::error::ErrorKind;
use crate::run::listing::{LogOptions, RunInfo, RunOwner, RunScope};

impl Detached {
    async fn list(&self, scope: RunScope) -> Vec<RunInfo> {
        self.submitter.runs(scope).map(Result::unwrap).collect().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_run_is_listed_by_its_container() {
    let detached = Detached::new().await;
    let listed = detached.list(RunScope::Live).await;
    let [run] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!(
        (run.id.as_str(), run.status.name(), run.owner),
        (RUN, "running", RunOwner::Detached)
    );
    assert_eq!((run.node.as_deref(), run.attempt), (Some("m"), Some(1)));
    assert_eq!(run.function, "greet");
    detached.end().await;
    assert!(detached.list(RunScope::Live).await.is_empty());
    assert_eq!(detached.list(RunScope::All).await[0].status.name(), "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_container_without_outcome_is_described_as_lost() {
    let detached = Detached::new().await;
    detached.daemon.end(CONTAINER, 137).await;
    let run = detached.list(RunScope::All).await.remove(0);
    let status = run.status.to_string();
    assert!(status.starts_with(&format!("lost: container {CONTAINER} ended")), "{status}");
    let details = detached.submitter.describe(RUN).await.unwrap();
    assert_eq!(details.processes.len(), 1);
    assert!(details.error.unwrap().is_lost());
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_daemon_hides_no_run_of_the_stage() {
    let detached = Detached::new().await;
    detached.fail("GET info", Fault::Disconnect);
    let listed: Vec<_> = detached.submitter.runs(RunScope::All).collect().await;
    let [Err(error), Ok(run)] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((error.kind(), run.id.as_str()), (ErrorKind::Runner, RUN));
    assert_eq!(run.status.name(), "unknown");
    let reason = run.status.reason().unwrap();
    assert!(reason.starts_with(&error.to_string()), "{reason}");
    let described = detached.submitter.describe(RUN).await.unwrap();
    assert_eq!(described.info.status.name(), "unknown");
    let unknown = detached.submitter.describe("hype-run-other").await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Runner);
    let report = detached.submitter.find_run("x").await.unwrap_err().report();
    assert!(report.contains(&error.to_string()), "{report}");
    let options = LogOptions::default();
    let error = detached.submitter.logs(RUN, options).next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runner);
    detached.end().await;
    let all: Vec<_> = detached.submitter.runs(RunScope::All).collect().await;
    assert_eq!(all[1].as_ref().unwrap().status.name(), "succeeded");
    assert!(detached.submitter.logs(RUN, options).all(async |line| line.is_ok()).await);
}
