//! Staged maps in containers: another submitter runs what was staged, in the same environment.

use futures::{StreamExt, stream};
use hype::{Closure, DockerRunner, ErrorKind, HostDirectory, RunEnvironment, Stage, Submitter};
use test_guests::surroundings::say_then_wait_for;

use super::{submitter, wait};

/// Returns closures that wait for a file which their mount has.
fn items(count: u64) -> impl Iterator<Item = Closure<String>> + Send + 'static {
    (0..count).map(|index| say_then_wait_for(format!("item {index}"), "/signal/go".into()))
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn detached_map_is_attached_and_resumed_in_containers() {
    let (stage, first) = submitter(|runner| runner);
    let signal = tempfile::tempdir().unwrap();
    std::fs::write(signal.path().join("go"), "").unwrap();
    let mount = HostDirectory::new(signal.path()).mount_read_only("/signal");
    let env = RunEnvironment::new().with_mount(mount);
    let in_stage = || Stage::in_directory(stage.path()).unwrap();
    wait(async {
        let endless = stream::iter(items(100)).chain(stream::pending());
        let mut map = first.map_stream(endless, &env).staged();
        for _ in 0..70 {
            map.next().await.unwrap().unwrap();
        }
        let id = map.detach().await.unwrap();
        first.close().await.unwrap();

        let second = Submitter::new(in_stage(), DockerRunner::new().unwrap()).unwrap();
        let results: Vec<_> = second.attach_map::<String>(&id).collect().await;
        let (last, results) = results.split_last().unwrap();
        let error = last.as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incomplete { staged: 100 }, "{error:?}");
        assert_eq!(results.iter().filter(|it| it.as_deref().ok() == Some("gone")).count(), 100);

        let mut map = second.map(items(120), &RunEnvironment::new()).resume(&id);
        let mut count = 0;
        while let Some(result) = map.next().await {
            assert_eq!(result.unwrap(), "gone");
            count += 1;
        }
        let output = map.logs(110).await.unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(count == 120 && text.contains("item 110"), "{count} {text}");
        let report = second.map_report(&id).await.unwrap();
        assert_eq!((report.items, report.failed), (120, 0));
        drop(map);

        let local = Submitter::local_with(in_stage().url()).unwrap();
        let mut map = local.map(items(121), &RunEnvironment::new()).resume(&id);
        assert_eq!(map.next().await.unwrap().unwrap(), "gone", "results need no container");
        drop(map);
        second.cancel(&id).await.unwrap();
        second.close().await.unwrap();
    });
    for name in ["runs", "maps", "views", "live"] {
        let left = std::fs::read_dir(stage.path().join(name)).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{name}");
    }
}
