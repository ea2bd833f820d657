//! Checks of a submitter that works.

use futures::StreamExt;
use hype::Submitter;
use hype::doctor::{Check, CheckState};

pub async fn working_submitter_passes_its_checks(submitter: &Submitter) {
    let checks: Vec<Check> = submitter.check().collect().await;
    // A machine may have no room for commands.
    let failed = checks.iter().filter(|it| it.state == CheckState::Failed && it.name != "commands");
    assert_eq!(failed.collect::<Vec<_>>(), [] as [&Check; 0]);
    let run = checks.iter().find(|check| check.name == "run");
    assert!(run.is_some_and(|run| run.state == CheckState::Ok), "{checks:?}");
}
