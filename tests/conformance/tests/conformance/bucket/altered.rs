//! Objects that an attacker who can write to the bucket has altered: none is used.

use hype::RunEnvironment;
use test_guests::values::greet;
use test_storage_server::{Fault, Operation, Refusal, Rule};

use super::{component_object, in_process, server, submit};

/// Submits a closure whose arguments and value are large enough for objects of their own.
#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the test below sets"]
fn submit_with_altered_objects_fails() {
    submit(|submitter| async move {
        let closure = greet("x".repeat(100_000));
        let error = submitter.submit(closure, &RunEnvironment::new()).await.unwrap_err();
        println!("exit code {}: {}", error.exit_code(), error.report());
    });
}

fn altered(objects: &str) -> Rule {
    Rule::new(Operation::Read, objects, Fault::AlterBody { at: 100 })
}

fn missing(objects: &str) -> Rule {
    Rule::new(Operation::Read, objects, Fault::Refuse(Refusal::new(404)))
}

#[test]
fn rejection_of_an_altered_object_names_it() {
    conformance::build_guests();
    let component = component_object();
    // Without machine code the component is read. The local runner is handed its manifest; `staging.rs` tests an
    // altered manifest.
    for (rules, refusal) in [
        (vec![altered(&component), missing("*/blobs/*")], "component test-guests.wasm: gs://"),
        (vec![altered("*/blobs/*")], "the machine code of component test-guests.wasm: gs://"),
        (vec![altered("*/arguments")], "the arguments: gs://"),
        (vec![altered("*/result")], "/result was altered"),
        (vec![altered("*/outcome")], "/outcome was altered"),
    ] {
        let server = server();
        rules.into_iter().for_each(|rule| server.inject(rule));
        let stdout = in_process("altered::submit_with_altered_objects_fails", &server);
        assert!(stdout.contains("exit code 3"), "{stdout}");
        assert!(stdout.contains(refusal), "{refusal} is missing in {stdout}");
        assert!(stdout.contains(" was altered: its digest is "), "{stdout}");
    }
}
