//! Maps whose containers are lost, and requests of maps that fail.

use super::super::fake_daemon::Container;
use super::super::fake_daemon::items::{CUT_ONCE, GARBLE_ONCE, HANG, KILL_ONCE, SAY, VALUE};
use super::*;
use crate::error::Error;
use crate::map::items::{self, ItemEnd};
use crate::map::options::MapOptions;
use crate::map::report::recorder::Recorder;

/// The time after which a test fails, on a machine that is busy with other work.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The end of a map.
struct Ended {
    result: Result<()>,
    items: Vec<ItemEnd>,
}

impl Ended {
    fn error(&self, index: u64) -> &Error {
        let end = self.items.iter().find(|end| end.index == index).unwrap();
        end.result.as_ref().unwrap_err()
    }

    /// Returns the number of items that returned a value.
    fn values(&self) -> usize {
        self.items.iter().filter(|end| end.result.is_ok()).count()
    }
}

/// Runs a map whose items have these arguments.
async fn run_map(scenario: &Scenario, env: &RunEnvironment, arguments: &[&'static [u8]]) -> Ended {
    let (queue, mut ends) =
        items::queue_of(arguments, &MapOptions::default(), &Recorder::default());
    let attempt = Attempt { env: env.clone(), ..scenario.attempt() };
    let run = scenario.runner.items().unwrap().run_items(attempt, queue);
    let result = tokio::time::timeout(TIMEOUT, run).await.unwrap();
    Ended { result, items: std::iter::from_fn(|| ends.try_recv().ok()).collect() }
}

/// Ends the submitter, and returns the containers that are left.
async fn left(scenario: Scenario) -> Vec<(String, Container)> {
    let Scenario { daemon, cleanup, background, .. } = scenario;
    drop(cleanup);
    tokio::task::spawn_blocking(move || drop(background)).await.unwrap();
    daemon.containers()
}

#[tokio::test(flavor = "multi_thread")]
async fn items_with_commands_share_no_container() {
    let scenario = Scenario::new().await;
    let items = scenario.runner.items().unwrap();
    assert!(items.can_share_process(&RunEnvironment::new().allow_http("example.com")));
    assert!(!items.can_share_process(&RunEnvironment::new().allow_command("ls")));
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_of_map_run_many_items() {
    let scenario = Scenario::new().await;
    let ended = run_map(&scenario, &RunEnvironment::new(), &[VALUE; 300]).await;
    ended.result.as_ref().unwrap();
    assert_eq!(ended.values(), 300);
    assert!((1..=2).contains(&scenario.daemon.starts()), "{}", scenario.daemon.starts());
    for (name, container) in scenario.daemon.containers() {
        assert!(name == format!("{RUN}-w1-1") || name == format!("{RUN}-w2-1"), "{name}");
        // The values of the items pass through its output.
        assert_eq!(container.body["HostConfig"]["LogConfig"]["Type"], "none");
    }
    assert_eq!(left(scenario).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_lost_container_run_in_another() {
    for lost in [KILL_ONCE, CUT_ONCE, GARBLE_ONCE] {
        let scenario = Scenario::new().await;
        let mut arguments = [VALUE; 40];
        arguments[20] = lost;
        let ended = run_map(&scenario, &RunEnvironment::new(), &arguments).await;
        ended.result.as_ref().unwrap();
        assert_eq!(ended.values(), 40, "{}", lost.escape_ascii());
        // The lost container is removed before its items run again.
        assert_eq!(scenario.daemon.overlapping_items(), [0; 0], "{}", lost.escape_ascii());
        // Two containers, and at most one in the place of the lost one.
        let starts = scenario.daemon.starts();
        assert!((2..=3).contains(&starts), "{}: {starts}", lost.escape_ascii());
        assert_eq!(left(scenario).await.len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn item_with_effects_is_lost_with_its_container() {
    let env = RunEnvironment::new().allow_http("example.com");
    for (lost, reason) in [
        (KILL_ONCE, "was killed (status 137)"),
        (CUT_ONCE, "is running, but its connection broke"),
        (GARBLE_ONCE, "no message about items"),
    ] {
        let scenario = Scenario::new().await;
        let ended = run_map(&scenario, &env, &[VALUE, lost, VALUE]).await;
        ended.result.as_ref().unwrap();
        assert_eq!(ended.values(), 2);
        let report = ended.error(1).report();
        assert!(ended.error(1).is_lost() && report.contains(reason), "{report}");
        assert_eq!(left(scenario).await.len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn error_of_lost_container_has_the_last_lines_of_its_item() {
    let scenario = Scenario::new().await;
    let env = RunEnvironment::new().allow_http("example.com");
    let ended = run_map(&scenario, &env, &[SAY, SAY, KILL_ONCE, SAY]).await;
    ended.result.as_ref().unwrap();
    let report = ended.error(2).report();
    assert!(
        report.contains("its last lines:\n") && report.contains("hype-run: it dies"),
        "{report}"
    );
    assert!(!report.contains("said"), "{report}");
    left(scenario).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_during_start_of_map_leaks_no_container() {
    let requests = ["POST containers/create", "POST containers/hype-run-abcdefghij-w1-1/attach"];
    let requests = requests.into_iter().chain(["POST containers/hype-run-abcdefghij-w1-1/start"]);
    let cases = requests.flat_map(|request| FAULTS.map(|fault| (request, fault)));
    let cases = cases.map(|(request, fault)| async move {
        let scenario = Scenario::new().await;
        scenario.daemon.inject(request, fault);
        let ended = run_map(&scenario, &RunEnvironment::new(), &[VALUE]).await;
        match &ended.result {
            Ok(()) => assert_eq!(ended.values(), 1, "{request} {fault:?}"),
            Err(error) => {
                let report = error.report();
                assert!(!is_survived(request, fault), "{request} {fault:?}: {report}");
                assert!(report.starts_with("cannot "), "{request} {fault:?}: {report}");
            }
        }
        assert!(left(scenario).await.is_empty(), "{request} {fault:?}");
    });
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_map_removes_its_containers() {
    let scenario = Scenario::new().await;
    let env = RunEnvironment::new();
    let running = run_map(&scenario, &env, &[HANG, HANG]);
    let started = async {
        scenario.daemon.wait_for_start(&format!("{RUN}-w1-1")).await;
        scenario.daemon.wait_for_start(&format!("{RUN}-w2-1")).await;
    };
    tokio::select! {
        _ = running => panic!("the map ended"),
        () = started => {}
    }
    assert_eq!(left(scenario).await.len(), 0);
}
