//! Values of closures as arguments of others: runs after runs, steps of maps, and reductions.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use hype::run::Status;
use hype::{Closure, Component, ErrorKind, FailureKind, RunEnvironment, Submitter};
use test_guests::chaining::{
    add_random, append, draw, fill_bytes, join, join_short, measure, pair, show, wait_and_return,
};
use test_guests::ends::bake;
use test_guests::values::greet;

use crate::cases::values::component;

pub async fn value_of_run_goes_into_next_function(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let run = submitter.spawn(show(7), &env);
    let run = run.then(greet::HANDLE, &env).then(join::HANDLE.bind_rest(("!".into(),)), &env);
    assert_eq!(run.wait().await.unwrap(), "hello 7;!");
}

pub async fn value_goes_into_function_of_another_component(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let run = submitter.spawn(show(7), &env).then(test_library::twice::HANDLE, &env);
    assert_eq!(run.wait().await.unwrap(), "7;7;");
}

pub async fn large_value_of_run_goes_into_next_function(submitter: &Submitter) {
    let env = RunEnvironment::new();
    for (size, name) in [(1 << 20, "a".to_owned()), (200_000, "b".repeat(200_000))] {
        let run = submitter.spawn(fill_bytes(3, size), &env);
        let run = run.then(measure::HANDLE.bind_rest((name.clone(),)), &env);
        assert_eq!(run.wait().await.unwrap(), (3, size.into(), name));
    }
}

pub async fn large_value_of_ended_run_goes_into_next_function(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let run = submitter.spawn(fill_bytes(3, 1 << 20), &env);
    // The log ends with the run.
    assert_eq!(run.logs().count().await, 0);
    let run = run.then(measure::HANDLE.bind_rest(("a".into(),)), &env);
    assert_eq!(run.wait().await.unwrap(), (3, 1 << 20, "a".to_owned()));
}

pub async fn failed_run_fails_the_next_one(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let run = submitter.spawn(bake(false), &env);
    let id = run.id().to_owned();
    let error = run.then(greet::HANDLE, &env).wait().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{id}, whose value `greet` takes: closure `bake` failed: cannot bake")
    );
    assert_eq!(error.failure().map(|failure| failure.kind), Some(FailureKind::Function));
}

pub async fn function_of_loaded_component_takes_value(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let component = Component::open(component("test-guests")).unwrap();
    let next = component.function("greet").unwrap().typed();
    let run: hype::Run<String> = submitter.spawn(show(7), &env).then(next, &env);
    assert_eq!(run.wait().await.unwrap(), "hello 7;");
    let next = component.function("join").unwrap().typed();
    let run: hype::Run<String> = submitter.spawn(show(7), &env).then(next, &env);
    let error = run.wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().ends_with("takes 2 arguments, and 1 was given"), "{error}");
}

pub async fn cancelled_run_cancels_the_one_before(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let run = submitter.spawn(wait_and_return("a".into(), 600), &env);
    let lines = run.logs();
    let next = run.then(greet::HANDLE, &env);
    assert_eq!(next.status(), Status::Staging);
    tokio::time::timeout(Duration::from_secs(300), next.cancel()).await.unwrap().unwrap();
    // The log ends when the run's process has stopped.
    let rest = tokio::time::timeout(Duration::from_secs(300), lines.count()).await;
    assert_eq!(rest.unwrap(), 0);
}

pub async fn reduction_merges_values_in_order(submitter: &Submitter) {
    let map = submitter.map((0..6).map(show), &RunEnvironment::new());
    assert_eq!(map.reduce(join::HANDLE).await.unwrap().unwrap(), "0;1;2;3;4;5;");
}

pub async fn shape_of_reduction_follows_from_number_of_items(submitter: &Submitter) {
    // The item 0 ends last.
    let closures = (0..5).map(|index| wait_and_return(format!("{index}"), u64::from(index == 0)));
    let map = submitter.map(closures, &RunEnvironment::new()).with_parallelism(5);
    assert_eq!(map.reduce(pair::HANDLE).await.unwrap().unwrap(), "(((01)(23))4)");
}

pub async fn reduction_of_nothing_has_no_value(submitter: &Submitter) {
    let map = submitter.map(Vec::<Closure<String>>::new(), &RunEnvironment::new());
    assert_eq!(map.reduce(join::HANDLE).await.unwrap(), None);
}

pub async fn reduction_of_one_item_is_its_value(submitter: &Submitter) {
    let map = submitter.map([show(7)], &RunEnvironment::new());
    assert_eq!(map.reduce(join::HANDLE).await.unwrap().unwrap(), "7;");
}

pub async fn reduction_merges_large_values(submitter: &Submitter) {
    let closures = (0..3).map(|index| fill_bytes(index, 1 << 20));
    let map = submitter.map(closures, &RunEnvironment::new());
    let bytes = map.reduce(append::HANDLE).await.unwrap().unwrap().0;
    let firsts: Vec<_> = bytes.chunks(1 << 20).map(|chunk| (chunk.len(), chunk[0])).collect();
    assert_eq!(firsts, [(1 << 20, 0), (1 << 20, 1), (1 << 20, 2)]);
}

pub async fn failed_item_ends_reduction_with_its_index(submitter: &Submitter) {
    let map = submitter.map((0..4).map(|index| bake(index != 2)), &RunEnvironment::new());
    let error = map.reduce(join::HANDLE).await.unwrap_err();
    assert_eq!(error.to_string(), "item 2: closure `bake` failed: cannot bake");
    assert_eq!(error.failure().map(|failure| failure.kind), Some(FailureKind::Function));
    assert_eq!(error.exit_code(), 1);
}

pub async fn failed_merge_ends_reduction_with_its_items(submitter: &Submitter) {
    // A text of four items has 12 letters.
    let closures = (10..16).map(show);
    let map = submitter.map(closures, &RunEnvironment::new());
    let error = map.reduce(join_short::HANDLE).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the merge of the items 0..4: closure `join_short` failed: 10;11;12;13; is bad"
    );
}

pub async fn merge_of_another_component_is_refused_by_name(submitter: &Submitter) {
    let map = submitter.map((0..4).map(show), &RunEnvironment::new());
    let error = map.reduce(test_library::concatenate::HANDLE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(
        error.to_string(),
        "`concatenate`, which takes values of the map, is of test-library.wasm, and the items call functions of \
         test-guests.wasm"
    );
}

pub async fn merge_with_wrong_number_of_parameters_is_refused(submitter: &Submitter) {
    let merge = Component::open(component("test-guests")).unwrap().function("show").unwrap();
    let map = submitter.map((0..4).map(show), &RunEnvironment::new());
    let error = map.reduce(merge.typed()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(
        error.to_string(),
        "`show(number: u64) -> String` takes 1 argument, and 2 were given"
    );
}

pub async fn function_of_loaded_component_merges(submitter: &Submitter) {
    let component = Component::open(component("test-guests")).unwrap();
    let show = component.function("show").unwrap();
    let closures = (0..3_u64).map(move |index| show.clone().bind((index,)));
    let map = submitter.map::<String, _>(closures, &RunEnvironment::new());
    let merge = component.function("join").unwrap().typed();
    assert_eq!(map.reduce(merge).await.unwrap().unwrap(), "0;1;2;");
}

pub async fn seed_determines_merges(submitter: &Submitter) {
    let env = RunEnvironment::new().deterministic(7);
    let reduce = async |parallelism| {
        let map = submitter.map((0..3).map(|_| draw()), &env).with_parallelism(parallelism);
        map.reduce(add_random::HANDLE).await.unwrap().unwrap()
    };
    let numbers = reduce(1).await;
    let mut different = numbers.clone();
    different.sort_unstable();
    different.dedup();
    // Three items and two merges.
    assert_eq!((numbers.len(), different.len()), (5, 5));
    assert_eq!(reduce(3).await, numbers);
}

pub async fn report_counts_merges(submitter: &Submitter) {
    let map = submitter.map((0..4).map(show), &RunEnvironment::new());
    let mut reduction = map.reduce(join::HANDLE);
    (&mut reduction).await.unwrap();
    let report = reduction.report();
    assert_eq!((report.items, report.failed, report.running.len()), (7, 0, 0), "{report:?}");
}

pub async fn map_that_was_read_is_not_reduced(submitter: &Submitter) {
    let mut map = submitter.map((0..4).map(show), &RunEnvironment::new());
    map.next().await.unwrap().unwrap();
    let error = map.reduce(join::HANDLE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().starts_with("the values of a map that has started"), "{error}");
}

pub async fn cancelled_reduction_ends(submitter: &Submitter) {
    let closures =
        (0..4).map(|index| wait_and_return("a".into(), if index == 0 { 0 } else { 600 }));
    let mut reduction = submitter.map(closures, &RunEnvironment::new()).reduce(join::HANDLE);
    while reduction.report().items == 0 {
        let next = tokio::time::timeout(Duration::from_millis(50), &mut reduction);
        assert!(next.await.is_err(), "it ended");
    }
    tokio::time::timeout(Duration::from_secs(300), reduction.cancel()).await.unwrap().unwrap();
}

pub async fn values_of_map_go_into_next_function(submitter: &Submitter) {
    let map = submitter.map((0..4).map(show), &RunEnvironment::new());
    let map = map.then(greet::HANDLE).then(join::HANDLE.bind_rest(("!".into(),)));
    let values: Vec<_> = map.try_collect().await.unwrap();
    assert_eq!(values, ["hello 0;!", "hello 1;!", "hello 2;!", "hello 3;!"]);
}

pub async fn large_values_of_map_go_into_next_function(submitter: &Submitter) {
    let map = submitter.map((0..3).map(|index| fill_bytes(index, 1 << 20)), &RunEnvironment::new());
    let map = map.then(measure::HANDLE.bind_rest(("a".into(),)));
    let values: Vec<_> = map.try_collect().await.unwrap();
    assert_eq!(values, [0, 1, 2].map(|first| (first, 1 << 20, "a".to_owned())));
}

pub async fn failed_item_goes_into_no_other_function(submitter: &Submitter) {
    let map = submitter.map((0..3).map(|index| bake(index != 1)), &RunEnvironment::new());
    let results: Vec<_> = map.then(greet::HANDLE).collect().await;
    let results: Vec<_> = results.into_iter().map(|it| it.map_err(|it| it.to_string())).collect();
    let failed = || Err("closure `bake` failed: cannot bake".to_owned());
    let value = || Ok("hello bread".to_owned());
    assert_eq!(results, [value(), failed(), value()]);
}

pub async fn values_of_steps_are_reduced(submitter: &Submitter) {
    let map = submitter.map((0..3).map(show), &RunEnvironment::new()).then(greet::HANDLE);
    let value = map.reduce(join::HANDLE).await.unwrap().unwrap();
    assert_eq!(value, "hello 0;hello 1;hello 2;");
}
