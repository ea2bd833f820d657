//! Failures of each kind: message, causes, location and backtrace.

use std::time::Duration;

use hype::{Component, ErrorKind, FailureKind, RunEnvironment, Submitter};
use test_guests::ends;
use test_guests::values::greet;

use crate::cases::values::component;
use crate::{failure, passes_through};

const MIB: u64 = 1 << 20;

pub async fn function_error_has_its_causes(submitter: &Submitter) {
    let result = submitter.submit(ends::bake(false), &RunEnvironment::new()).await;
    let (error, failure) = failure(result, FailureKind::Function);
    assert_eq!(failure.message, "cannot bake");
    assert_eq!(failure.causes, ["there is no flour", &std::fmt::Error.to_string()]);
    assert_eq!(failure.backtrace, []);
    assert_eq!(error.to_string(), "closure `bake` failed: cannot bake");
    assert_eq!(error.exit_code(), 1);
}

pub async fn anyhow_error_has_its_causes(submitter: &Submitter) {
    let result = submitter.submit(ends::bake_anyhow(), &RunEnvironment::new()).await;
    let (_, failure) = failure(result, FailureKind::Function);
    assert_eq!(failure.message, "no breakfast");
    assert_eq!(failure.causes[..2], ["cannot bake", "there is no flour"]);
}

pub async fn io_error_is_a_function_error(submitter: &Submitter) {
    let result = submitter.submit(ends::read_missing(), &RunEnvironment::new()).await;
    let (_, failure) = failure(result, FailureKind::Function);
    assert!(failure.message.contains("No such file"), "{failure:?}");
}

pub async fn fallible_function_succeeds(submitter: &Submitter) {
    let bread = submitter.submit(ends::bake(true), &RunEnvironment::new()).await.unwrap();
    assert_eq!(bread, "bread");
}

pub async fn panic_has_location_and_backtrace(submitter: &Submitter) {
    let result = submitter.submit(ends::panic("too hot".into()), &RunEnvironment::new()).await;
    let (error, failure) = failure(result, FailureKind::Panic);
    assert_eq!(failure.message, "too hot");
    let location = failure.location.as_ref().expect("a place");
    assert!(location.file.ends_with("guests/src/ends.rs") && location.line > 0, "{location}");
    assert!(failure.backtrace[0].function.ends_with("panic_with"), "{error:?}");
    let frame = failure.backtrace[0].location.as_ref().expect("a place");
    assert!(frame.file.ends_with(&location.file) && frame.line == location.line, "{error:?}");
    assert!(passes_through(&failure, "panic::call"), "{error:?}");
    assert_eq!(error.to_string(), format!("closure `panic` panicked at {location}: too hot"));
    assert!(error.is_panic());
}

pub async fn panic_in_std_has_location_of_its_caller(submitter: &Submitter) {
    let result = submitter.submit(ends::unwrap_none(), &RunEnvironment::new()).await;
    let (error, failure) = failure(result, FailureKind::Panic);
    assert_eq!(failure.message, "called `Option::unwrap()` on a `None` value");
    assert!(failure.location.is_some_and(|place| place.file.ends_with("guests/src/ends.rs")));
    let place = failure.backtrace[1].location.as_ref().expect("a place");
    assert!(place.file.ends_with("guests/src/ends.rs"), "{error:?}");
}

pub async fn trap_has_cause_and_backtrace(submitter: &Submitter) {
    let result = submitter.submit(ends::trap(), &RunEnvironment::new()).await;
    let (error, failure) = failure(result, FailureKind::Trap);
    assert_eq!(failure.message, "`trap` trapped");
    assert_eq!(failure.causes, ["wasm trap: wasm `unreachable` instruction executed"]);
    assert!(failure.backtrace[1].function.ends_with("trap_inside"), "{error:?}");
    let location = failure.backtrace[1].location.as_ref().expect("a place");
    assert!(location.file.ends_with("guests/src/ends.rs"), "{location}");
}

pub async fn stack_overflow_has_backtrace_and_hint(submitter: &Submitter) {
    let result = submitter.submit(ends::overflow(), &RunEnvironment::new()).await;
    let (error, failure) = failure(result, FailureKind::Stack);
    assert_eq!(
        failure.message,
        "`overflow` ran out of stack: it called too deep, or kept a large array there"
    );
    assert!(passes_through(&failure, "descend"), "{error:?}");
    assert!(error.report().contains("recurse less deeply"), "{error:?}");
    assert_eq!(error.exit_code(), 1);
}

pub async fn exit_is_a_trap(submitter: &Submitter) {
    let result = submitter.submit(ends::exit(3), &RunEnvironment::new()).await;
    let (error, failure) = failure(result, FailureKind::Trap);
    assert_eq!(failure.message, "`exit` called `exit` instead of returning");
    assert!(passes_through(&failure, "exit::call"), "{error:?}");
}

pub async fn exceeded_memory_limit_has_backtrace_and_hint(submitter: &Submitter) {
    let env = RunEnvironment::new().with_memory(64 * MIB);
    let (error, failure) =
        failure(submitter.submit(ends::hoard(), &env).await, FailureKind::Memory);
    assert_eq!(failure.message, "`hoard` needed more memory than its limit of 64 MiB");
    assert!(passes_through(&failure, "take_all"), "{error:?}");
    assert!(error.is_out_of_memory());
    assert!(error.report().contains("with_memory"), "{error:?}");
}

pub async fn handled_allocation_error_is_no_failure(submitter: &Submitter) {
    let env = RunEnvironment::new().with_memory(64 * MIB);
    assert!(submitter.submit(ends::make_do(), &env).await.unwrap());
}

pub async fn computing_closure_ends_at_its_timeout(submitter: &Submitter) {
    let env = RunEnvironment::new().with_timeout(Duration::from_secs(1));
    let (error, failure) =
        failure(submitter.submit(ends::spin(), &env).await, FailureKind::Deadline);
    assert_eq!(failure.message, "`spin` ran longer than its timeout of 1s");
    assert!(passes_through(&failure, "spin_inside"), "{error:?}");
    assert!(error.is_timeout());
    assert!(error.report().contains("with_timeout"), "{error:?}");
}

pub async fn sleeping_closure_ends_at_its_timeout(submitter: &Submitter) {
    let env = RunEnvironment::new().with_timeout(Duration::from_secs(1));
    let result = submitter.submit(ends::sleep(3600), &env).await;
    let (_, failure) = failure(result, FailureKind::Deadline);
    assert_eq!(failure.message, "`sleep` ran longer than its timeout of 1s");
}

pub async fn maximum_timeout_is_accepted(submitter: &Submitter) {
    let env = RunEnvironment::new().with_timeout(Duration::MAX);
    assert!(submitter.submit(greet("you".into()), &env).await.is_ok());
}

pub async fn argument_of_wrong_type_is_rejected(submitter: &Submitter) {
    let component = Component::open(component("test-guests")).unwrap();
    let closure = component.function("factorial").unwrap().bind::<u64>(("three",));
    let result = submitter.submit(closure, &RunEnvironment::new()).await;
    let (error, failure) = failure(result, FailureKind::Incompatible);
    assert_eq!(
        failure.message,
        "parameter `n: u64` of `factorial`: expected u64, found the string \"three\""
    );
    assert_eq!(failure.backtrace, []);
    assert_eq!(error.exit_code(), 2);
}

pub async fn wrong_number_of_arguments_is_rejected(submitter: &Submitter) {
    let component = Component::open(component("test-guests")).unwrap();
    let closure = component.function("greet").unwrap().bind::<String>(("a", "b"));
    let error = submitter.submit(closure, &RunEnvironment::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(
        error.to_string(),
        "`greet(name: String) -> String` takes 1 argument, and 2 were given"
    );
}

pub async fn value_of_other_type_is_an_error(submitter: &Submitter) {
    let component = Component::open(component("test-guests")).unwrap();
    let closure = component.function("greet").unwrap().bind::<Vec<u32>>(("a",));
    let error = submitter.submit(closure, &RunEnvironment::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(error.to_string(), "the value of `greet` is not what the program expects");
    assert!(error.report().contains("expected a sequence"), "{error:?}");
}

pub async fn submitter_survives_failures(submitter: &Submitter) {
    let env = RunEnvironment::new();
    for _ in 0..3 {
        assert!(submitter.submit(ends::trap(), &env).await.is_err());
        assert!(submitter.submit(ends::overflow(), &env).await.is_err());
        assert!(submitter.submit(greet("again".into()), &env).await.is_ok());
    }
}
