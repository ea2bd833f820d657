//! Maps: many closures of one component, whose results arrive as a stream.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use hype::map::Report;
use hype::{Closure, Component, ErrorKind, FailureKind, HostDirectory, RunEnvironment, Submitter};
use serde::{Serialize, Serializer};
use test_guests::determinism::look;
use test_guests::ends::{bake, fail_each, sleep};
use test_guests::surroundings::say_then_wait_for;
use test_guests::values::{greet, reverse};

use crate::cases::values::component;

pub async fn map_returns_results_in_order(submitter: &Submitter) {
    let names = ["a", "b", "c", "d", "e"];
    let map = submitter.map(names.map(|name| greet(name.into())), &RunEnvironment::new());
    let greetings: Vec<_> = map.try_collect().await.unwrap();
    assert_eq!(greetings, names.map(|name| format!("hello {name}")));
}

pub async fn map_of_nothing_is_empty(submitter: &Submitter) {
    let mut map = submitter.map(Vec::<Closure<String>>::new(), &RunEnvironment::new());
    assert!(map.next().await.is_none());
    assert!(map.next().await.is_none());
}

pub async fn map_of_one_item_returns_one_result(submitter: &Submitter) {
    let mut map = submitter.map([reverse(vec![1, 2, 3])], &RunEnvironment::new());
    assert_eq!(map.next().await.unwrap().unwrap(), [3, 2, 1]);
    assert!(map.next().await.is_none());
    assert!(map.next().await.is_none());
}

pub async fn map_of_stream_returns_results_while_input_continues(submitter: &Submitter) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let names = stream::unfold(receiver, async |mut names| Some((names.recv().await?, names)));
    let closures = names.map(greet);
    let mut map = submitter.map_stream(closures, &RunEnvironment::new());
    for name in ["a", "b"] {
        sender.send(name.to_owned()).unwrap();
        assert_eq!(map.next().await.unwrap().unwrap(), format!("hello {name}"));
    }
    drop(sender);
    assert!(map.next().await.is_none());
}

pub async fn unordered_map_returns_each_index_once(submitter: &Submitter) {
    let closures = (0..6).map(|index| greet(format!("{index}")));
    let map = submitter.map(closures, &RunEnvironment::new()).with_parallelism(3).unordered();
    let results: Vec<_> = map.map(|(index, result)| (index, result.unwrap())).collect().await;
    assert_eq!(results.len(), 6);
    let by_index: BTreeMap<_, _> = results.into_iter().collect();
    assert_eq!(by_index, (0..6).map(|index| (index, format!("hello {index}"))).collect());
}

pub async fn failing_item_affects_no_other(submitter: &Submitter) {
    let env = RunEnvironment::new().with_memory(64 << 20);
    let closures = (0..9).map(|index| fail_each(3, index));
    let results: Vec<_> = submitter.map(closures, &env).collect().await;
    assert_eq!(results.len(), 9);
    for (index, result) in (0..).zip(results) {
        let kind = match index {
            0 => FailureKind::Function,
            3 => FailureKind::Panic,
            6 => FailureKind::Memory,
            _ => {
                assert_eq!(result.unwrap(), index);
                continue;
            }
        };
        let error = result.unwrap_err();
        assert_eq!(error.failure().map(|failure| failure.kind), Some(kind), "{error:?}");
    }
}

pub async fn item_with_invalid_arguments_fails_alone(submitter: &Submitter) {
    let component = Component::open(component("test-guests")).unwrap();
    let function = component.function("greet").unwrap();
    let closures: [Closure<String>; 4] = [
        function.clone().bind(("a", "b")),
        function.clone().bind((Unencodable,)),
        function.clone().bind(("c",)),
        function.bind(("d", "e")),
    ];
    let results: Vec<_> =
        submitter.map(closures, &RunEnvironment::new()).with_parallelism(1).collect().await;
    let texts: Vec<_> =
        results.into_iter().map(|result| result.map_err(|error| error.kind())).collect();
    let rejected = || Err(ErrorKind::Input);
    assert_eq!(texts, [rejected(), rejected(), Ok("hello c".to_owned()), rejected()]);
}

/// A value that can't be encoded.
struct Unencodable;

impl Serialize for Unencodable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it is locked"))
    }
}

pub async fn try_map_ends_after_first_failure(submitter: &Submitter) {
    // The input never ends.
    let closures = (0..).map(|index| bake(index != 3));
    let map = submitter.try_map(closures, &RunEnvironment::new());
    let results: Vec<_> = map.collect().await;
    assert_eq!(results.len(), 4);
    let error = results.into_iter().next_back().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "closure `bake` failed: cannot bake");
}

pub async fn map_rejects_closure_of_another_component(submitter: &Submitter) {
    let closures = [greet("a".into()), test_library::twice("b".into()), greet("c".into())];
    let results: Vec<_> = submitter.map(closures, &RunEnvironment::new()).collect().await;
    assert_eq!(results.len(), 2);
    assert_eq!(results[0].as_ref().unwrap(), "hello a");
    let error = results[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(
        error.to_string(),
        "item 1 of the map calls `twice` of test-library.wasm, and the items before it call \
         functions of test-guests.wasm"
    );
    assert!(error.report().contains("use one map for each component"), "{error:?}");
}

pub async fn map_that_cannot_be_staged_fails_clearly(submitter: &Submitter) {
    let env = RunEnvironment::new().with_file("/nonexistent/file", "/file");
    let closures = (0..3).map(|index| greet(format!("{index}")));
    let results: Vec<_> = submitter.map(closures, &env).collect().await;
    let [Err(error)] = results.as_slice() else { panic!("{results:?}") };
    assert!(error.report().contains("/nonexistent/file"), "{error:?}");
}

pub async fn item_timeout_ends_slow_items(submitter: &Submitter) {
    let closures = [sleep(0), sleep(600)];
    let map = submitter.map(closures, &RunEnvironment::new());
    let results: Vec<_> = map.with_item_timeout(Duration::from_secs(5)).collect().await;
    assert!(results[0].is_ok(), "{results:?}");
    assert!(results[1].as_ref().unwrap_err().is_timeout(), "{results:?}");
}

pub async fn seed_and_index_determine_an_item(submitter: &Submitter) {
    let env = RunEnvironment::new().deterministic(7);
    let observe = async |parallelism| {
        let map = submitter.map([look(), look(), look()], &env).with_parallelism(parallelism);
        map.try_collect::<Vec<_>>().await.unwrap()
    };
    let observations = observe(1).await;
    assert_ne!(observations[0].number, observations[1].number);
    assert_ne!(observations[1].words, observations[2].words);
    assert_eq!(observe(3).await, observations);
}

pub async fn two_maps_run_concurrently(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let collect = async |name: &'static str| {
        let closures = (0..4).map(move |index| greet(format!("{name} {index}")));
        submitter.map(closures, &env).try_collect::<Vec<_>>().await.unwrap()
    };
    let (one, other) = futures::join!(collect("one"), collect("other"));
    assert_eq!(one, (0..4).map(|index| format!("hello one {index}")).collect::<Vec<_>>());
    assert_eq!(other, (0..4).map(|index| format!("hello other {index}")).collect::<Vec<_>>());
}

pub async fn early_result_does_not_wait_for_slow_item(submitter: &Submitter) {
    let directory = tempfile::tempdir().unwrap();
    let mount = HostDirectory::new(directory.path()).mount_read_only("/signal");
    let env = RunEnvironment::new().with_mount(mount);
    let slow = say_then_wait_for("waiting".into(), "/signal/go".into());
    let mut map =
        submitter.map([greet("first".into()), slow, greet("last".into())], &env).unordered();
    let mut ended = Vec::new();
    while ended.len() < 2 {
        ended.push(map.next().await.unwrap().0);
    }
    ended.sort_unstable();
    assert_eq!(ended, [0, 2]);
    std::fs::write(directory.path().join("go"), "").unwrap();
    let (index, result) = map.next().await.unwrap();
    assert_eq!((index, result.unwrap().as_str()), (1, "gone"));
    assert!(map.next().await.is_none());
}

pub async fn cancelled_map_ends(submitter: &Submitter) {
    let closures = (0..4).map(|index| sleep(if index == 0 { 0 } else { 600 }));
    let mut map = submitter.map(closures, &RunEnvironment::new());
    map.next().await.unwrap().unwrap();
    tokio::time::timeout(Duration::from_secs(300), map.cancel()).await.unwrap().unwrap();
}

pub async fn failed_items_run_again_if_asked(submitter: &Submitter) {
    let env = RunEnvironment::new().with_memory(16 << 20);
    // The argument alone needs twice that memory.
    let mut map = submitter.map([reverse(vec![7; 20 << 20])], &env).with_memory_retries(128 << 20);
    assert_eq!(map.next().await.unwrap().unwrap().len(), 20 << 20);
    assert_eq!((map.report().items, map.report().attempts), (1, 2), "{:?}", map.report());

    let closures = [0, 3, 6].map(|index| fail_each(3, index));
    let mut map = submitter.map(closures, &env).with_error_retries(1).with_memory_retries(64 << 20);
    while map.next().await.is_some() {}
    let report = map.report();
    // One more each of the error and the panic, and two with more memory.
    assert_eq!((report.failed, report.attempts), (3, 2 + 2 + 3), "{report:?}");
}

pub async fn map_report_counts_items(submitter: &Submitter) {
    let env = RunEnvironment::new().with_memory(64 << 20);
    let mut map = submitter.map((0..9).map(|index| fail_each(3, index)), &env);
    assert_eq!(map.report(), Report::default());
    while map.next().await.is_some() {}
    let report = map.report();
    assert_eq!((report.items, report.failed, report.attempts), (9, 3, 9), "{report:?}");
    assert_eq!(report.function, "fail_each");
    let kinds: BTreeMap<_, _> =
        report.failures.iter().map(|group| (group.kind.as_str(), group.first[0].item)).collect();
    assert_eq!(kinds, BTreeMap::from([("function", 0), ("memory", 6), ("panic", 3)]));
    let panic = report.failures.iter().find(|group| group.kind == "panic").unwrap();
    assert!(panic.first[0].details.contains("fail_each"), "{panic:?}");
    let items = report.timeline.workers.values().flatten().map(|span| span.items).sum::<u64>();
    assert_eq!((items, report.running.len()), (9, 0));
    assert!(
        report.timeline.workers.values().flatten().all(|span| span.until_us <= report.until_us)
    );
    assert_eq!((report.times.queue.count(), report.times.run.count()), (9, 9));
    assert_eq!((report.sizes.values.count(), report.needs.out_of_memory), (6, 1));
    assert!(report.sizes.memory.max() > 0 && report.sizes.arguments.min() > 0, "{report:?}");
    assert!(!cfg!(target_os = "linux") || report.times.cpu.sum() > 0, "{report:?}");
    assert!(report.slowest.len() == 9 && report.html().contains("fail_each"));
}
