//! Reductions on the local runner: many items, memory, output, staged maps and cleanup.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use conformance::cases::chaining;
use conformance::overridden::Overridden;
use conformance::tampering::TamperingRunner;
use futures::StreamExt;
use hype::{RunEnvironment, Stage, Submitter};
use test_guests::chaining::{join, show};

fn local(directory: &Path) -> Submitter {
    conformance::build_guests();
    Submitter::local_with(&format!("file://{}", directory.display())).unwrap()
}

fn joined(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| format!("{number};")).collect()
}

/// Returns whether anything of maps and runs is left in the stage.
fn has_leftovers(directory: &Path) -> bool {
    ["maps", "runs", "live"].iter().any(|name| {
        let entries = std::fs::read_dir(directory.join(name));
        entries.is_ok_and(|mut entries| entries.next().is_some())
    })
}

#[tokio::test]
async fn thousand_items_are_merged_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new();
    for items in [2, 3, 63, 64, 65, 1000] {
        let map = submitter.map((0..items).map(show), &env);
        assert_eq!(map.reduce(join::HANDLE).await.unwrap().unwrap(), joined(0..items));
    }
    submitter.close().await.unwrap();
    assert!(!has_leftovers(directory.path()));
}

#[tokio::test]
async fn refused_functions_stage_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    chaining::merge_of_another_component_is_refused_by_name(&submitter).await;
    chaining::merge_with_wrong_number_of_parameters_is_refused(&submitter).await;
    submitter.close().await.unwrap();
    let is_staged = |name: &&str| directory.path().join(name).exists();
    assert_eq!(["blobs", "runs", "live"].iter().find(|name| is_staged(name)), None);
}

#[tokio::test]
async fn failed_reduction_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let closures = (0..1000).map(|index| test_guests::ends::bake(index != 300));
    let error = submitter.map(closures, &RunEnvironment::new()).reduce(join::HANDLE).await;
    assert!(error.unwrap_err().to_string().starts_with("item 300: "));
    submitter.close().await.unwrap();
    assert!(!has_leftovers(directory.path()));
}

#[tokio::test]
async fn staged_map_is_reduced_by_another_program() {
    let directory = tempfile::tempdir().unwrap();
    let first = local(directory.path());
    let mut map = first.map((0..500).map(show), &RunEnvironment::new()).staged();
    for _ in 0..200 {
        map.next().await.unwrap().unwrap();
    }
    let id = map.detach().await.unwrap();
    first.close().await.unwrap();
    let second = local(directory.path());
    // The first program may have staged a part only.
    let map = second.map((0..500).map(show), &RunEnvironment::new()).resume(&id);
    assert_eq!(map.reduce(join::HANDLE).await.unwrap().unwrap(), joined(0..500));
    // All results are in the stage, so that only the merges run.
    let map = second.attach_map::<String>(&id);
    let mut reduction = map.reduce(join::HANDLE);
    assert_eq!((&mut reduction).await.unwrap().unwrap(), joined(0..500));
    second.cancel(&id).await.unwrap();
    second.close().await.unwrap();
    assert!(!has_leftovers(directory.path()));
}

#[tokio::test]
async fn staged_map_is_reduced_while_it_is_staged() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let map = submitter.map((0..500).map(show), &RunEnvironment::new()).staged();
    assert_eq!(map.reduce(join::HANDLE).await.unwrap().unwrap(), joined(0..500));
    submitter.close().await.unwrap();
    assert!(!has_leftovers(directory.path()));
}

/// As in Kubernetes.
#[tokio::test]
async fn items_that_are_runs_are_merged_by_runs() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(directory.path()).unwrap();
    let runner = Overridden(TamperingRunner::new().unwrap());
    let submitter = Submitter::new(stage, runner).unwrap();
    chaining::reduction_merges_values_in_order(&submitter).await;
    chaining::reduction_of_nothing_has_no_value(&submitter).await;
    chaining::reduction_of_one_item_is_its_value(&submitter).await;
    chaining::reduction_merges_large_values(&submitter).await;
    chaining::failed_item_ends_reduction_with_its_index(&submitter).await;
    chaining::failed_merge_ends_reduction_with_its_items(&submitter).await;
    chaining::merge_of_another_component_is_refused_by_name(&submitter).await;
    chaining::seed_determines_merges(&submitter).await;
    chaining::report_counts_merges(&submitter).await;
    chaining::values_of_map_go_into_next_function(&submitter).await;
    chaining::failed_item_goes_into_no_other_function(&submitter).await;
    let map = submitter.map((0..40).map(show), &RunEnvironment::new()).with_parallelism(2);
    assert_eq!(map.reduce(join::HANDLE).await.unwrap().unwrap(), joined(0..40));
    submitter.close().await.unwrap();
    assert!(!has_leftovers(directory.path()));
}

#[test]
fn blocking_map_is_reduced() {
    let directory = tempfile::tempdir().unwrap();
    conformance::build_guests();
    let url = format!("file://{}", directory.path().display());
    let submitter = hype::blocking::Submitter::local_with(&url).unwrap();
    let map = submitter.map((0..50).map(show), &RunEnvironment::new());
    assert_eq!(map.reduce(join::HANDLE).unwrap().unwrap(), joined(0..50));
    let map = submitter.map((0..3).map(show), &RunEnvironment::new());
    let map = map.then(test_guests::values::greet::HANDLE);
    let values: Vec<_> = map.collect::<hype::Result<_>>().unwrap();
    assert_eq!(values, ["hello 0;", "hello 1;", "hello 2;"]);
    submitter.close().unwrap();
}
