//! Staged maps on the local runner: detach, attach, resume, killed programs, altered objects, and cleanup.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conformance::overridden::{Overridden, SeenAttempt, WithImages};
use futures::{StreamExt, TryStreamExt};
use hype::__internal::submitter_with_lease_term;
use hype::map::Map;
use hype::{Closure, ErrorKind, LocalRunner, RunEnvironment, Stage, Submitter};
use test_guests::determinism::{Observation, look};
use test_guests::ends::fail_each;
use test_guests::surroundings::say_then_wait_for;
use test_guests::values::{greet, reverse};

/// The variable with the stage's directory, for a program that is killed.
const DIRECTORY: &str = "HYPE_TEST_STAGE";

fn local(directory: &Path) -> Submitter {
    conformance::build_guests();
    Submitter::local_with(&format!("file://{}", directory.display())).unwrap()
}

/// Returns closures whose values differ in each execution.
fn looks(count: usize) -> impl Iterator<Item = Closure<Observation>> + Send + 'static {
    (0..count).map(|_| look())
}

/// Reads a map to its end. Returns the values and the number of staged items if it is incomplete.
async fn read<T: serde::de::DeserializeOwned + 'static>(map: Map<T>) -> (Vec<T>, Option<u64>) {
    let mut results: Vec<_> = timely(map.collect::<Vec<_>>()).await;
    let staged = match results.last() {
        Some(Err(error)) => match error.kind() {
            ErrorKind::Incomplete { staged } => Some(staged),
            _ => panic!("{error:?}"),
        },
        _ => None,
    };
    if staged.is_some() {
        results.pop();
    }
    (results.into_iter().map(Result::unwrap).collect(), staged)
}

async fn timely<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(300), work).await.unwrap()
}

/// Returns the files below a directory of the map with their contents.
fn files(directory: &Path, id: &str, kind: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(directory.join("maps").join(id).join(kind));
    let paths = entries.into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Returns the paths of what is left of maps and runs in the stage.
fn leftovers(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = ["maps", "runs", "live"].map(|name| directory.join(name)).into();
    let mut left = Vec::new();
    while let Some(path) = paths.pop() {
        let entries = fs::read_dir(path).into_iter().flatten();
        let entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        left.extend(entries.iter().cloned());
        paths.extend(entries);
    }
    left
}

#[tokio::test]
async fn detached_map_is_read_by_other_submitters() {
    let directory = tempfile::tempdir().unwrap();
    let first = local(directory.path());
    let mut map = first.map(looks(100_000), &RunEnvironment::new()).staged();
    let mut seen = Vec::new();
    for _ in 0..300 {
        seen.push(map.next().await.unwrap().unwrap());
    }
    let id = timely(map.detach()).await.unwrap();
    first.close().await.unwrap();
    let committed = files(directory.path(), &id, "out");
    assert!(committed.len() >= 4, "{}", committed.len());

    let (values, staged) = read(local(directory.path()).attach_map::<Observation>(&id)).await;
    let staged = staged.unwrap() as usize;
    assert_eq!(values.len(), staged);
    assert!((300..100_000).contains(&staged), "{staged}");
    // The items of chunks that were committed have not run again.
    assert_eq!(values[..236], seen[..236]);
    let all = files(directory.path(), &id, "out");
    assert!(committed.iter().all(|(path, bytes)| all.get(path) == Some(bytes)));

    let second = local(directory.path());
    let resumed = second.map(looks(staged + 100), &RunEnvironment::new()).resume(&id);
    let (resumed, end) = read(resumed).await;
    assert_eq!((resumed.len(), end), (staged + 100, None));
    assert_eq!(resumed[..staged], values);
    let mut unordered = second.attach_map::<Observation>(&id).unordered();
    let mut by_index = BTreeMap::new();
    while let Some((index, value)) = timely(unordered.next()).await {
        assert!(by_index.insert(index, value.unwrap()).is_none(), "{index}");
    }
    assert!(by_index.into_values().eq(resumed));

    timely(second.cancel(&id)).await.unwrap();
    second.close().await.unwrap();
    assert_eq!(leftovers(directory.path()), Vec::<PathBuf>::new());
    let (error, _) = first_error(&local(directory.path()), &id).await;
    assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
}

async fn first_error(submitter: &Submitter, id: &str) -> (hype::Error, usize) {
    let results: Vec<_> = timely(submitter.attach_map::<u64>(id).collect::<Vec<_>>()).await;
    let count = results.len();
    (results.into_iter().find_map(Result::err).unwrap(), count)
}

#[tokio::test]
async fn attached_or_started_map_is_not_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let mut map = submitter.map_stream(stream_of_three(), &RunEnvironment::new()).staged();
    map.next().await.unwrap().unwrap();
    let id = timely(map.detach()).await.unwrap();
    // It would end the plan.
    let mut map = submitter.attach_map::<String>(&id).resume(&id);
    let error = timely(map.next()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("has no closures"), "{error:?}");
    assert_eq!(read(submitter.attach_map::<String>(&id).staged()).await.1, Some(3));
    let mut map = submitter.map_stream(stream_of_three(), &RunEnvironment::new());
    map.next().await.unwrap().unwrap();
    let results: Vec<_> = timely(map.staged().collect::<Vec<_>>()).await;
    let error = results.last().unwrap().as_ref().unwrap_err();
    assert!(error.to_string().contains("cannot be staged"), "{error:?}");
    timely(submitter.cancel(&id)).await.unwrap();
}

#[tokio::test]
async fn seed_determines_items_after_a_resume() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new().deterministic(7);
    let whole: Vec<_> = submitter.map(looks(200), &env).try_collect().await.unwrap();
    let open_ended = futures::stream::iter(looks(100)).chain(futures::stream::pending());
    let mut map = submitter.map_stream(open_ended, &env).staged();
    map.next().await.unwrap().unwrap();
    let id = timely(map.detach()).await.unwrap();
    let other = local(directory.path());
    let (resumed, _) = read(other.map(looks(200), &RunEnvironment::new()).resume(&id)).await;
    let numbers = |all: &[Observation]| all.iter().map(|it| it.number).collect::<Vec<_>>();
    assert_eq!(numbers(&resumed), numbers(&whole));
    timely(other.attach_map::<Observation>(&id).cancel()).await.unwrap();
    assert_eq!(leftovers(directory.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn staged_map_is_removed_when_it_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let closures = (0..1000).map(|index| fail_each(1 << 60, index + 1));
    let mut map = submitter.map(closures, &RunEnvironment::new()).staged();
    let id = map.id().unwrap().to_owned();
    map.next().await.unwrap().unwrap();
    drop(map);
    submitter.close().await.unwrap();
    assert_eq!(leftovers(directory.path()), Vec::<PathBuf>::new());
    let (error, _) = first_error(&local(directory.path()), &id).await;
    assert!(error.to_string().contains("no key of the map"), "{error:?}");
}

#[tokio::test]
async fn attached_map_follows_a_program_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let (sender, closures) = futures::channel::mpsc::unbounded();
    let mut map = submitter.map_stream(closures, &RunEnvironment::new()).staged();
    let id = map.id().unwrap().to_owned();
    let mut attached = None;
    for index in 0..3 {
        sender.unbounded_send(greet(index.to_string())).unwrap();
        map.next().await.unwrap().unwrap();
        // It waits until the segment is in the stage.
        let _ = timely(map.logs(index)).await;
        let attached =
            attached.get_or_insert_with(|| local(directory.path()).attach_map::<String>(&id));
        assert_eq!(timely(attached.next()).await.unwrap().unwrap(), format!("hello {index}"));
    }
    timely(map.detach()).await.unwrap();
    assert_eq!(read(attached.unwrap()).await, (Vec::new(), Some(3)));
    timely(submitter.cancel(&id)).await.unwrap();
}

#[tokio::test]
async fn failures_and_large_values_survive_their_program() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let large = |index: u8| reverse(vec![index; 300 << 10]);
    let mut map = submitter.map((0..70).map(large), &RunEnvironment::new()).staged();
    while map.next().await.is_some_and(|value| value.unwrap()[0] < 68) {}
    let id = timely(map.detach()).await.unwrap();
    let blobs = files(directory.path(), &id, "blobs").len();
    assert!(blobs >= 64, "{blobs}");
    let (values, _) = read(local(directory.path()).attach_map::<Vec<u8>>(&id)).await;
    assert!(values.into_iter().zip(0..).all(|(value, index)| value == [index; 300 << 10]));
    timely(submitter.cancel(&id)).await.unwrap();

    let env = RunEnvironment::new().with_memory(64 << 20);
    let closures = || (0..64).map(|index| fail_each(16, index + 1));
    let mut map = submitter.map(closures().chain(closures()), &env).staged();
    let mut errors = Vec::new();
    for _ in 0..100 {
        errors.extend(map.next().await.unwrap().err().map(|error| error.report()));
    }
    let id = timely(map.detach()).await.unwrap();
    let results: Vec<_> =
        timely(local(directory.path()).attach_map::<u64>(&id).collect::<Vec<_>>()).await;
    let again = results[..100].iter().filter_map(|it| it.as_ref().err().map(|it| it.report()));
    assert!(!errors.is_empty() && again.eq(errors));
    timely(submitter.cancel(&id)).await.unwrap();
}

#[tokio::test]
async fn results_are_read_without_the_mounts_of_their_map() {
    let (directory, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let submitter = local(directory.path());
    let mount = hype::HostDirectory::new(data.path()).mount_read_only("/data");
    let env = RunEnvironment::new().with_mount(mount);
    let mut map = submitter.map_stream(stream_of_three(), &env).staged();
    for _ in 0..3 {
        map.next().await.unwrap().unwrap();
    }
    let id = timely(map.detach()).await.unwrap();
    drop(data);
    let (values, staged) = read(local(directory.path()).attach_map::<String>(&id)).await;
    assert_eq!((values.len(), staged), (3, Some(3)));
    timely(submitter.cancel(&id)).await.unwrap();
}

#[tokio::test]
async fn output_of_an_item_is_found_by_its_index() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let closures = (0..64).map(|index| say_then_wait_for(format!("item {index}"), "/tmp".into()));
    let mut map = submitter.map(closures, &RunEnvironment::new()).staged();
    for _ in 0..64 {
        map.next().await.unwrap().unwrap();
    }
    let output = timely(map.logs(17)).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(String::from_utf8(text).unwrap().contains("item 17"));
    let error = timely(map.logs(64)).await.unwrap_err();
    assert!(error.report().contains("not staged"), "{error:?}");
}

#[tokio::test]
async fn output_is_found_without_the_other_segments() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let closures = |count: u32| {
        (0..count).map(|index| say_then_wait_for(format!("item {index}"), "/tmp".into()))
    };
    let env = RunEnvironment::new();
    let first = futures::stream::iter(closures(5)).chain(futures::stream::pending());
    let mut map = submitter.map_stream(first, &env).staged();
    for _ in 0..5 {
        timely(map.next()).await.unwrap().unwrap();
    }
    let id = timely(map.detach()).await.unwrap();
    // A program that goes on begins a new segment.
    let mut map = submitter.map(closures(10), &env).resume(&id);
    for _ in 0..10 {
        timely(map.next()).await.unwrap().unwrap();
    }
    let id = timely(map.detach()).await.unwrap();
    let segments = files(directory.path(), &id, "plan");
    assert!(segments.len() > 1);
    let first_of =
        |path: &Path| path.file_name().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let last = segments.keys().max_by_key(|path| first_of(path)).unwrap();
    for path in segments.keys().filter(|path| *path != last) {
        fs::remove_file(path).unwrap();
    }
    let map = submitter.attach_map::<String>(&id).unordered();
    let output = timely(map.logs(first_of(last))).await.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(text.contains(&format!("item {}", first_of(last))), "{text}");
    let error = timely(map.logs(10)).await.unwrap_err();
    assert!(error.report().contains("not staged"), "{error:?}");
    assert!(timely(map.logs(0)).await.is_err());
    // Not by `submitter.cancel`, which needs the first segment.
    submitter.stage().remove_map(&id).await.unwrap();
}

#[tokio::test]
async fn report_of_a_staged_map_covers_all_programs() {
    let directory = tempfile::tempdir().unwrap();
    let first = local(directory.path());
    // Each tenth item returns an error.
    let closures = (0..1000).map(|index| match index % 10 {
        9 => fail_each(1, 3),
        _ => fail_each(1 << 60, index + 1),
    });
    let mut map = first.map(closures, &RunEnvironment::new()).staged();
    for index in 0..300 {
        assert_eq!(map.next().await.unwrap().is_err(), index % 10 == 9);
    }
    let id = timely(map.detach()).await.unwrap();
    let before = timely(first.map_report(&id)).await.unwrap();
    let plan = before.plan.clone().unwrap();
    assert!(before.items >= 236 && before.items <= plan.items, "{before:?}");
    assert_eq!(before.function, "fail_each");
    let (kind, count) = (before.failures[0].kind.as_str(), before.failures[0].count);
    assert_eq!((kind, count), ("function", before.failed));
    assert!(before.failures[0].first[0].details.contains("fail_each"), "{before:?}");
    assert!(before.until_us > 0 && before.times.run.count() == before.items);
    assert!(before.needs.memory_limit().is_some() && !before.timeline.workers.is_empty());

    let second = local(directory.path());
    let mut map = second.attach_map::<u64>(&id);
    let mut results = Vec::new();
    while let Some(result) = timely(map.next()).await {
        results.push(result);
    }
    // The last one is that the map is incomplete, unless all items were staged.
    let (attached, after) = (map.report(), timely(second.map_report(&id)).await.unwrap());
    for report in [&attached, &after] {
        assert_eq!(report.items, plan.items);
        assert_eq!(report.started_unix_ms, before.started_unix_ms);
        assert!(report.until_us >= before.until_us);
        let spans = report.timeline.workers.values().flatten();
        assert_eq!(spans.map(|span| span.items).sum::<u64>(), plan.items);
    }
    assert_eq!((attached.failed, attached.attempts), (after.failed, after.attempts));
    assert_eq!(attached.sizes, after.sizes);
    assert_eq!(attached.needs, after.needs);
    assert!(attached.timeline.workers.len() >= before.timeline.workers.len());
    drop(map);
    timely(second.cancel(&id)).await.unwrap();
    let error = timely(second.map_report(&id)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
}

#[tokio::test]
async fn attached_items_get_containers_of_the_same_environment() {
    conformance::build_guests();
    let (directory, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let seen = Arc::<Mutex<Vec<SeenAttempt>>>::default();
    let open = || {
        let runner = WithImages { inner: LocalRunner::new().unwrap(), seen: Arc::clone(&seen) };
        let stage = Stage::in_directory(directory.path()).unwrap();
        Submitter::new(stage, Overridden(runner)).unwrap()
    };
    let mount = hype::HostDirectory::new(data.path().canonicalize().unwrap());
    let env = RunEnvironment::new().with_image("a/b:1").with_request("memory", "1Gi");
    let env = env.with_mount(mount.mount_read_only("/data"));
    let first = open();
    let mut map = first.map_stream(stream_of_three(), &env).staged();
    for _ in 0..3 {
        map.next().await.unwrap().unwrap();
    }
    let id = timely(map.detach()).await.unwrap();
    // So that the items run again.
    files(directory.path(), &id, "out").keys().for_each(|path| fs::remove_file(path).unwrap());
    let (error, _) = first_error(&local(directory.path()), &id).await;
    assert!(error.report().contains("its items run in containers"), "{error:?}");
    let second = open();
    let (values, staged) = read(second.attach_map::<String>(&id)).await;
    assert_eq!((values.len(), staged), (3, Some(3)));
    timely(second.cancel(&id)).await.unwrap();
    first.close().await.unwrap();
    second.close().await.unwrap();
    assert_eq!(leftovers(directory.path()), Vec::<PathBuf>::new());
    let seen = seen.lock().unwrap();
    let [of_map, attached] = &seen[..] else { panic!("{seen:?}") };
    // A container sees only the objects of its run.
    assert_ne!(of_map.manifest_url, attached.manifest_url);
    for SeenAttempt { image, env: of_attempt, .. } in [of_map, attached] {
        assert_eq!(image.as_deref(), Some("a/b:1"));
        assert_eq!(format!("{of_attempt:?}"), format!("{env:?}"));
        assert_eq!(of_attempt.mounts(), env.mounts());
    }
}

#[tokio::test]
async fn altered_objects_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let closures = || (0..1000).map(|index| fail_each(1 << 60, index + 1));
    let mut map = submitter.map(closures(), &RunEnvironment::new()).staged();
    for _ in 0..300 {
        map.next().await.unwrap().unwrap();
    }
    let id = timely(map.detach()).await.unwrap();
    let run = directory.path().join("runs").join(&id).join("manifest");
    let plan = directory.path().join("maps").join(&id).join("plan/0");
    let outs: Vec<_> = files(directory.path(), &id, "out").into_keys().collect();
    let chunk = outs.iter().find(|path| path.ends_with("0-0")).unwrap();
    for path in [&plan, chunk, &run] {
        let bytes = fs::read(path).unwrap();
        let mut altered = bytes.clone();
        let middle = altered.len() / 2;
        altered[middle] ^= 1;
        write(path, &altered);
        let (error, count) = first_error(&local(directory.path()), &id).await;
        assert_eq!((error.kind(), count), (ErrorKind::Stage, 1), "{error:?}");
        if path != &run {
            let error = timely(submitter.map_report(&id)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Stage, "{error:?}");
        }
        write(path, &bytes);
    }
    // Objects of the map in other places are refused, too.
    // On a slow machine it may belong to another segment.
    let other = outs.iter().find(|path| *path != chunk).unwrap();
    let (bytes, wrong) = (fs::read(chunk).unwrap(), fs::read(other).unwrap());
    write(chunk, &wrong);
    let (error, count) = first_error(&local(directory.path()), &id).await;
    assert_eq!((error.kind(), count), (ErrorKind::Stage, 1), "{error:?}");
    write(chunk, &bytes);
    let results = local(directory.path()).attach_map::<u64>(&id);
    let (values, _) = read(results).await;
    assert!(values.into_iter().zip(1..).all(|(value, index)| value == index));
    timely(submitter.cancel(&id)).await.unwrap();
}

#[tokio::test]
async fn attached_map_with_large_values_ends() {
    let (directory, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let submitter = local(directory.path());
    let mount = hype::HostDirectory::new(data.path()).mount_read_only("/data");
    let env = RunEnvironment::new().with_mount(mount);
    let (sender, closures) = futures::channel::mpsc::unbounded();
    let send = |count| {
        for _ in 0..count {
            let closure = test_guests::surroundings::read_surely("/data/text".into());
            sender.unbounded_send(closure).unwrap();
        }
    };
    let large = "x".repeat(30 << 20);
    fs::write(data.path().join("text"), &large).unwrap();
    let mut map = submitter.map_stream(closures, &env).staged();
    send(2);
    for _ in 0..2 {
        map.next().await.unwrap().unwrap();
    }
    // It waits until the first segment is in the stage.
    timely(map.logs(1)).await.unwrap();
    fs::write(data.path().join("text"), "small").unwrap();
    send(12);
    for _ in 0..12 {
        map.next().await.unwrap().unwrap();
    }
    let id = timely(map.detach()).await.unwrap();
    // The items of later chunks run again. Their values exceed what may wait to be written before all have started.
    for path in files(directory.path(), &id, "out").keys().filter(|path| !path.ends_with("0-0")) {
        fs::remove_file(path).unwrap();
    }
    fs::write(data.path().join("text"), &large).unwrap();
    let other = local(directory.path());
    let mut map = other.attach_map::<String>(&id);
    for _ in 0..14 {
        assert!(timely(map.next()).await.unwrap().unwrap().len() == large.len());
    }
    drop(map);
    timely(other.cancel(&id)).await.unwrap();
}

/// Replaces a file of the stage.
fn write(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn map_that_another_program_continues_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let (sender, closures) = futures::channel::mpsc::unbounded();
    let mut map = submitter.map_stream(closures, &RunEnvironment::new()).staged();
    let id = map.id().unwrap().to_owned();
    sender.unbounded_send(greet("a".to_owned())).unwrap();
    map.next().await.unwrap().unwrap();
    // It waits until the first segment is in the stage.
    timely(map.logs(0)).await.unwrap();
    let plan = directory.path().join("maps").join(&id).join("plan");
    fs::write(plan.join("1"), "of another program").unwrap();
    sender.unbounded_send(greet("b".to_owned())).unwrap();
    map.next().await.unwrap().unwrap();
    let error = timely(map.next()).await.unwrap().unwrap_err();
    assert!(error.report().contains("continues it at the same time"), "{error:?}");
    drop(map);
    submitter.close().await.unwrap();
    let manifest = directory.path().join("runs").join(&id).join("manifest");
    assert!(plan.join("0").exists() && plan.join("1").exists() && manifest.exists());
}

#[tokio::test]
async fn concurrent_attachments_return_each_index_once() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let mut map = submitter.map(looks(2000), &RunEnvironment::new()).staged();
    map.next().await.unwrap().unwrap();
    let id = timely(map.detach()).await.unwrap();
    let (one, other) = (local(directory.path()), local(directory.path()));
    let ((one, staged), (other, _)) = tokio::join!(
        read(one.attach_map::<Observation>(&id)),
        read(other.attach_map::<Observation>(&id)),
    );
    assert_eq!((one.len(), other.len()), (staged.unwrap() as usize, staged.unwrap() as usize));
    let again = read(submitter.attach_map::<Observation>(&id)).await.0;
    // Each chunk has the results of one of them.
    let is_of_one =
        |(index, value): (usize, &Observation)| *value == one[index] || *value == other[index];
    assert!(again.iter().enumerate().all(is_of_one));
    timely(submitter.cancel(&id)).await.unwrap();
}

#[tokio::test]
async fn map_of_another_component_is_not_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let mut map = submitter.map((0..9).map(|it| greet(it.to_string())), &RunEnvironment::new());
    let error = map.next().await.map(|_| timely(map.detach())).unwrap().await.unwrap_err();
    assert!(error.report().contains("Map::staged"), "{error:?}");
    let closures = stream_of_three();
    let mut map = submitter.map_stream(closures, &RunEnvironment::new()).staged();
    map.next().await.unwrap().unwrap();
    let id = timely(map.detach()).await.unwrap();
    let closures = (0..9).map(|it| test_library::twice(it.to_string()));
    let resumed = submitter.map(closures, &RunEnvironment::new()).resume(&id);
    let results: Vec<_> = timely(resumed.collect::<Vec<_>>()).await;
    let error = results.last().unwrap().as_ref().unwrap_err();
    assert!(error.to_string().contains("calls another build"), "{error:?}");
    timely(submitter.cancel(&id)).await.unwrap();
}

#[tokio::test]
async fn items_with_effects_wait_for_their_program() {
    let (directory, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let submitter = local(directory.path());
    let mount = hype::HostDirectory::new(data.path()).mount_read_write("/data");
    let env = RunEnvironment::new().with_mount(mount).with_retries(1);
    let mut map = submitter.map_stream(stream_of_three(), &env).staged();
    map.next().await.unwrap().unwrap();
    // It waits until the first segment is in the stage.
    let _ = timely(map.logs(0)).await;
    let id = map.id().unwrap().to_owned();
    let other = local(directory.path());
    let mut attached = other.attach_map::<String>(&id);
    // The program of the map runs, and renews its lease.
    let early = tokio::time::timeout(Duration::from_secs(3), attached.next()).await;
    assert!(early.is_err(), "{early:?}");
    timely(map.detach()).await.unwrap();
    let values = ["hello 0", "hello 1", "hello 2"].map(str::to_owned).to_vec();
    assert_eq!(read(attached).await, (values, Some(3)));
    timely(other.cancel(&id)).await.unwrap();
}

/// Returns a stream of three closures that doesn't end.
fn stream_of_three() -> impl futures::Stream<Item = Closure<String>> + Send + 'static {
    let three = futures::stream::iter((0..3).map(|it| greet(it.to_string())));
    three.chain(futures::stream::pending())
}

#[tokio::test]
async fn run_of_a_staged_map_has_no_value() {
    let directory = tempfile::tempdir().unwrap();
    let stage = || Stage::in_directory(directory.path()).unwrap();
    let open = || {
        conformance::build_guests();
        let term = Duration::from_secs(2);
        submitter_with_lease_term(stage(), LocalRunner::new().unwrap(), term).unwrap()
    };
    let first = open();
    let mut map = first.map_stream(stream_of_three(), &RunEnvironment::new()).staged();
    map.next().await.unwrap().unwrap();
    let id = timely(map.detach()).await.unwrap();
    first.close().await.unwrap();
    let second = open();
    // The lease of its program expires meanwhile.
    let error = timely(second.attach::<String>(&id).wait()).await.unwrap_err();
    assert!(error.report().contains("attach_map"), "{error:?}");
    // It is kept.
    assert!(!files(directory.path(), &id, "plan").is_empty());
    let values = read(second.attach_map::<String>(&id)).await;
    assert_eq!((values.0.len(), values.1), (3, Some(3)));
    timely(second.cancel(&id)).await.unwrap();
}

#[test]
#[ignore = "needs HYPE_TEST_STAGE, which the test below sets"]
fn program_reads_an_endless_map() {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let stage = Stage::in_directory(&directory).unwrap();
        let term = Duration::from_secs(2);
        let submitter =
            submitter_with_lease_term(stage, LocalRunner::new().unwrap(), term).unwrap();
        let mut map = submitter.map(looks(usize::MAX), &RunEnvironment::new()).staged();
        let id = map.id().unwrap().to_owned();
        map.next().await.unwrap().unwrap();
        // It waits until the first segment is in the stage.
        let _ = map.logs(0).await;
        println!("\nmap {id}");
        for count in 0_u64.. {
            map.next().await.unwrap().unwrap();
            println!("\nread {count}");
        }
    });
}

/// Kills the program after it has read this number of results. Returns the id of its map.
fn kill_after(directory: &Path, results: u64) -> String {
    let mut program: Child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "staged_maps::program_reads_an_endless_map", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let id = lines.find_map(|line| line.strip_prefix("map ").map(str::to_owned)).unwrap();
    lines.find(|line| *line == format!("read {results}")).unwrap();
    // It ends at once, without any cleanup.
    program.kill().unwrap();
    program.wait().unwrap();
    id
}

/// `HYPE_CAMPAIGN_ROUNDS` sets the number of rounds.
#[tokio::test]
async fn killed_program_loses_no_staged_item() {
    conformance::build_guests();
    let rounds = std::env::var("HYPE_CAMPAIGN_ROUNDS").map_or(1, |it| it.parse().unwrap());
    for round in 0..rounds {
        let directory = tempfile::tempdir().unwrap();
        let id = kill_after(directory.path(), (round * 397 + 100) % 20_000);
        let before = files(directory.path(), &id, "out");
        let submitter = local(directory.path());
        let (values, staged) = read(submitter.attach_map::<Observation>(&id)).await;
        let staged = staged.unwrap() as usize;
        assert_eq!(values.len(), staged);
        let after = files(directory.path(), &id, "out");
        assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)));
        let resumed = submitter.map(looks(staged + 70), &RunEnvironment::new()).resume(&id);
        let (resumed, end) = read(resumed).await;
        assert_eq!((resumed.len(), end), (staged + 70, None));
        assert_eq!(resumed[..staged], values);
        // Until the lease of the killed program has expired, it might still run.
        timely(async { while submitter.cancel(&id).await.is_err() {} }).await;
        // A garbage collection removes the upload that the kill has interrupted.
        let left = leftovers(directory.path());
        let interrupted = left.iter().find(|path| path.to_string_lossy().contains('#'));
        let is_interrupted =
            |path: &PathBuf| interrupted.is_some_and(|interrupted| interrupted.starts_with(path));
        assert!(left.iter().all(is_interrupted), "{left:?}");
        let committed = (before.len(), after.len());
        println!("round {round}: {staged} items staged, chunks committed {committed:?}");
    }
}
