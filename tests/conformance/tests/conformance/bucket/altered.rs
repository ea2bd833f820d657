//! Whoever can write to the bucket changes what is read from it: nothing of that is used.

use hype::RunEnvironment;
use test_guests::values::greet;
use test_storage_server::{Fault, Operation, Refusal, Rule};

use super::{component_object, in_process, server, submit};

/// Its arguments and its value are objects of their own.
#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the test below sets"]
fn one_that_is_refused() {
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
fn each_altered_object_is_refused_by_name() {
    conformance::build_guests();
    let component = component_object();
    // Machine code that isn't there is done without, and then the component is read. The runner in this process is
    // handed its manifest: `staging` alters that for one that reads it.
    for (rules, refusal) in [
        (vec![altered(&component), missing("*/blobs/*")], "component test-guests.wasm: gs://"),
        (vec![altered("*/blobs/*")], "the machine code of component test-guests.wasm: gs://"),
        (vec![altered("*/arguments")], "the arguments: gs://"),
        (vec![altered("*/result")], "/result was altered"),
        (vec![altered("*/outcome")], "/outcome was altered"),
    ] {
        let server = server();
        rules.into_iter().for_each(|rule| server.inject(rule));
        let told = in_process("altered::one_that_is_refused", &server);
        assert!(told.contains("exit code 3"), "{told}");
        assert!(told.contains(refusal), "{refusal} isn't in {told}");
        assert!(told.contains(" was altered: its digest is "), "{told}");
    }
}
