//! Maps in containers that share many items.

use futures::{StreamExt, TryStreamExt};
use hype::run::RunScope;
use hype::{HostDirectory, RunEnvironment};
use test_guests::surroundings::say_then_wait_for;
use test_guests::values::greet;

use super::{assert_gone, containers, docker_output, submitter, wait};

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn killed_containers_cost_no_result() {
    let (stage, submitter) = submitter(|runner| runner);
    let signal = tempfile::tempdir().unwrap();
    let mount = HostDirectory::new(signal.path()).mount_read_only("/signal");
    let env = RunEnvironment::new().with_mount(mount);
    let closures = (0..20).map(|index| match index {
        7 => say_then_wait_for("waiting".into(), "/signal/go".into()),
        _ => greet(format!("{index}")),
    });
    wait(async {
        let map = submitter.map(closures, &env).with_parallelism(2);
        // No item waits behind the one that waits.
        let mut map = map.with_batch(1).unordered();
        for _ in 0..19 {
            map.next().await.unwrap().1.unwrap();
        }
        let staged = std::fs::read_dir(stage.path().join("runs")).unwrap();
        let ids: Vec<_> =
            staged.map(|run| run.unwrap().file_name().into_string().unwrap()).collect();
        let [run] = ids.as_slice() else { panic!("the map is not one run: {ids:?}") };
        // Other tests have runs in this daemon.
        let runs: Vec<_> = submitter.runs(RunScope::Live).try_collect().await.unwrap();
        assert!(runs.iter().any(|found| found.id == *run), "{runs:?}");
        let running = containers(run);
        assert_eq!(running.lines().count(), 2, "{running}");
        running.lines().for_each(|container| drop(docker_output(&["kill", container])));
        std::fs::write(signal.path().join("go"), "").unwrap();
        let (index, result) = map.next().await.unwrap();
        assert_eq!((index, result.unwrap().as_str()), (7, "gone"));
        assert!(map.next().await.is_none());
        assert_eq!((map.report().items, map.report().attempts), (20, 21));
        drop(map);
        submitter.close().await.unwrap();
        assert_gone(run);
    });
}
