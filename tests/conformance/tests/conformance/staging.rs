//! Objects in the stage: uploaded once, verified when used, removed with the run.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use conformance::cases::values::component;
use conformance::overridden::Overridden;
use conformance::tampering::TamperingRunner;
use futures::StreamExt;
use hype::__internal::{FunctionRecord, ParameterRecord, bind};
use hype::runner::Attempt;
use hype::{
    Component, Error, ErrorKind, FailureKind, LocalRunner, RunEnvironment, Stage, Submitter,
};
use test_guests::ends::{bake, trap};
use test_guests::values::{greet, text_of};

/// Returns the error of a closure with large arguments, after `meddle` between staging and running.
fn refused(meddle: fn(&Path, &Attempt)) -> Error {
    let stage = tempfile::tempdir().unwrap();
    meddled(stage.path(), meddle).expect_err("it must be refused")
}

fn meddled(stage: &Path, meddle: fn(&Path, &Attempt)) -> hype::Result<String> {
    conformance::build_guests();
    let directory = stage.to_owned();
    let runner = TamperingRunner::new()?.before(move |attempt| {
        meddle(&directory, attempt);
        Ok(())
    });
    let submitter = Submitter::new(Stage::in_directory(stage)?, Overridden(runner))?;
    let closure = greet("x".repeat(100_000));
    wait(submitter.submit(closure, &RunEnvironment::new()))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn guests() -> Component {
    Component::open(component("test-guests")).unwrap()
}

fn component_blob(stage: &Path) -> PathBuf {
    stage.join("blobs").join(guests().digest().to_string())
}

/// Returns the path of the machine code: the only blob besides the component.
fn machine_code(stage: &Path) -> PathBuf {
    let blobs = fs::read_dir(stage.join("blobs")).unwrap();
    let mut others =
        blobs.map(|blob| blob.unwrap().path()).filter(|blob| *blob != component_blob(stage));
    others.next().expect("machine code")
}

fn alter(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Grows the file sparsely beyond any machine's memory.
fn make_huge(path: &Path) {
    fs::File::options().write(true).open(path).unwrap().set_len(1 << 42).unwrap();
}

fn assert_refused(error: &Error, what: &str, problem: &str) {
    assert_ended(error, FailureKind::Infrastructure, what, problem);
}

fn assert_ended(error: &Error, kind: FailureKind, what: &str, problem: &str) {
    let failure = error.failure().expect("a failure");
    assert_eq!(failure.kind, kind, "{error:?}");
    assert!(failure.message.starts_with(&format!("{what}: file:///")), "{error:?}");
    assert!(failure.message.contains(problem), "{error:?}");
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn error_for_component_missing_twice_names_it() {
    let error = refused(|stage, _| {
        fs::remove_file(machine_code(stage)).unwrap();
        fs::remove_file(component_blob(stage)).unwrap();
    });
    assert_ended(&error, FailureKind::Missing, "component test-guests.wasm", "is not there");
    assert!(error.to_string().contains(&guests().digest().to_string()), "{error:?}");
}

#[test]
fn collected_component_is_staged_again_once() {
    let stage = tempfile::tempdir().unwrap();
    let value = meddled(stage.path(), |stage, attempt| {
        if attempt.number == 1 {
            fs::remove_file(machine_code(stage)).unwrap();
            fs::remove_file(component_blob(stage)).unwrap();
        }
    });
    assert!(value.unwrap().starts_with("hello xxx"));
}

#[test]
fn rejection_of_an_altered_component_names_it() {
    let error = refused(|stage, _| {
        fs::remove_file(machine_code(stage)).unwrap();
        alter(&component_blob(stage));
    });
    assert_refused(&error, "component test-guests.wasm", "was altered");
}

#[test]
fn rejection_of_altered_machine_code_names_its_component() {
    let error = refused(|stage, _| alter(&machine_code(stage)));
    assert_refused(&error, "the machine code of component test-guests.wasm", "was altered");
}

#[test]
fn altered_arguments_are_rejected() {
    let error = refused(|stage, attempt| {
        alter(&stage.join("runs").join(&attempt.run_id).join("arguments"));
    });
    assert_refused(&error, "the arguments", "was altered");
}

#[test]
fn altered_manifest_is_rejected() {
    let error = refused(|stage, attempt| {
        alter(&stage.join("runs").join(&attempt.run_id).join("manifest"));
    });
    assert_refused(&error, "the run manifest", "was altered");
}

#[test]
fn oversized_manifest_is_rejected_unread() {
    let error = refused(|stage, attempt| {
        make_huge(&stage.join("runs").join(&attempt.run_id).join("manifest"));
    });
    assert_refused(&error, "the run manifest", "is too large: it has 4398046511104 bytes");
}

#[test]
fn arguments_of_other_size_are_rejected_unread() {
    let error = refused(|stage, attempt| {
        make_huge(&stage.join("runs").join(&attempt.run_id).join("arguments"));
    });
    assert_refused(&error, "the arguments", "was altered: its size is 4398046511104");
}

#[test]
fn missing_machine_code_is_compiled_again() {
    let stage = tempfile::tempdir().unwrap();
    let greeting = meddled(stage.path(), |stage, _| fs::remove_file(machine_code(stage)).unwrap());
    assert_eq!(greeting.unwrap().len(), "hello ".len() + 100_000);
}

/// Returns the error of a closure with a large result, after `alter` on `object` of its run.
fn refused_afterwards(object: &'static str, alter: fn(&Path)) -> Error {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let runs = directory.path().join("runs");
    let runner =
        TamperingRunner::new().unwrap().after(move |run_id| alter(&runs.join(run_id).join(object)));
    let submitter =
        Submitter::new(Stage::in_directory(directory.path()).unwrap(), Overridden(runner)).unwrap();
    wait(submitter.submit(text_of(1 << 20), &RunEnvironment::new())).unwrap_err()
}

#[test]
fn altered_result_is_rejected() {
    let error = refused_afterwards("attempts/1/result", alter);
    assert_eq!(error.kind(), ErrorKind::Stage);
    assert!(error.report().contains("attempts/1/result was altered: its digest"), "{error:?}");
}

#[test]
fn result_of_other_size_is_rejected_unread() {
    let error = refused_afterwards("attempts/1/result", make_huge);
    assert_eq!(error.kind(), ErrorKind::Stage);
    assert!(error.report().contains("its size is 4398046511104"), "{error:?}");
}

#[test]
fn oversized_outcome_is_rejected_unread() {
    let error = refused_afterwards("outcome", make_huge);
    assert!(error.is_lost(), "{error:?}");
    assert!(error.report().contains("outcome is too large: it has 43980465"), "{error:?}");
}

#[test]
fn run_is_removed_after_any_end() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let submitter =
        Submitter::new(Stage::in_directory(directory.path()).unwrap(), LocalRunner::new().unwrap())
            .unwrap();
    let env = RunEnvironment::new();
    wait(submitter.submit(text_of(1 << 20), &env)).unwrap();
    wait(submitter.submit(bake(false), &env)).unwrap_err();
    wait(submitter.submit(trap(), &env)).unwrap_err();
    wait(submitter.close()).unwrap();
    let left = fs::read_dir(directory.path().join("runs")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

/// A function of the guests, with another signature.
static CHANGED: FunctionRecord<'static> = FunctionRecord {
    package: "test-guests",
    name: "greet",
    file: "src/values.rs",
    line: 1,
    docs: "",
    parameters: &[ParameterRecord { name: "name", type_name: "u32" }],
    result: "String",
};

/// A function that the guests do not have.
static GONE: FunctionRecord<'static> = FunctionRecord { name: "wave", ..CHANGED };

#[test]
fn changed_signature_is_rejected_before_upload() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let submitter =
        Submitter::new(Stage::in_directory(directory.path()).unwrap(), LocalRunner::new().unwrap())
            .unwrap();
    for (record, problem) in [
        (
            &CHANGED,
            "test-guests.wasm has `greet(name: String) -> String`, \
             and the program calls `greet(name: u32) -> String`",
        ),
        (&GONE, "test-guests.wasm has no function `wave`, which the program calls"),
    ] {
        let closure = bind::<String>(record, Ok(vec![0x91, 1]));
        let error = wait(submitter.submit(closure, &RunEnvironment::new())).unwrap_err();
        assert_eq!(error.to_string(), problem);
        assert!(error.report().contains("cargo hype build -p test-guests"), "{error:?}");
    }
    let staged: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    // The stage's marker.
    assert_eq!(staged.len(), 1, "{staged:?}");
}

#[test]
fn map_of_changed_signature_ends_at_its_first_item() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let submitter =
        Submitter::new(Stage::in_directory(directory.path()).unwrap(), LocalRunner::new().unwrap())
            .unwrap();
    for record in [&CHANGED, &GONE] {
        let closures = (0..100).map(|_| bind::<String>(record, Ok(vec![0x91, 1])));
        let map = submitter.map(closures, &RunEnvironment::new());
        let results: Vec<_> = wait(map.collect());
        let [Err(error)] = &results[..] else { panic!("{} results", results.len()) };
        assert!(error.report().contains("cargo hype build -p test-guests"), "{error:?}");
    }
}
