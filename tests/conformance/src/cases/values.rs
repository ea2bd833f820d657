//! Values of all kinds, as arguments and results.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::future::try_join_all;
use hype::{Component, ErrorKind, RunEnvironment, Submitter};
use test_guests::values::{
    Buffered, Event, Everything, Host, Number, Origin, Shape, compose, describe, echo,
    echo_buffered, factorial, greet, large_number, name_of_crate, nested, nothing, reverse,
    reverse_pieces, sum, text_of,
};

pub async fn text_round_trips(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let greeting = submitter.submit(greet("wörld".into()), &env).await.unwrap();
    assert_eq!(greeting, "hello wörld");
}

pub async fn function_without_arguments_and_value_succeeds(submitter: &Submitter) {
    submitter.submit(nothing(), &RunEnvironment::new()).await.unwrap();
}

pub async fn twelve_arguments_are_accepted(submitter: &Submitter) {
    let closure = sum(1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 0.5, -0.25);
    let sum = submitter.submit(closure, &RunEnvironment::new()).await.unwrap();
    assert_eq!(sum, -4.75);
}

pub async fn every_serde_type_round_trips(submitter: &Submitter) {
    let everything = Everything {
        flag: true,
        letter: 'ß',
        text: "line\nline".into(),
        bytes: hype::Bytes(vec![0, 255]),
        list_of_bytes: vec![0, 127, 128, 255],
        array: [0, 1, 254, 255],
        pair: (200, "two".into()),
        skipped: None,
        some: Some(Some(3)),
        unit: (),
        shapes: vec![
            Shape::Point,
            Shape::Circle(f64::MIN_POSITIVE),
            Shape::Line((i32::MIN, 0), (0, i32::MAX)),
            Shape::Box { width: 1, height: u32::MAX },
        ],
        by_name: BTreeMap::from([("a".into(), -1), (String::new(), 0)]),
        by_number: HashMap::from([(7, 0.5), (u32::MAX, -0.0)]),
        largest: u64::MAX,
        smallest: i64::MIN,
    };
    let echoed = submitter.submit(echo(everything.clone()), &RunEnvironment::new()).await.unwrap();
    assert_eq!(echoed, everything);
}

pub async fn buffered_serde_types_round_trip(submitter: &Submitter) {
    let bytes = || vec![0, 127, 128, 255];
    let events = vec![
        Event::Joined { from: "[::1]:80".parse().unwrap(), after: Duration::new(1, 2) },
        Event::Sent { data: bytes(), seal: bytes().into() },
    ];
    let origin = Origin { origin: [10, 0, 0, 1].into() };
    let env = RunEnvironment::new();
    for host in [
        Host::Ip([127, 0, 0, 1].into()),
        Host::Name("localhost".into()),
        Host::Key(b"text that is none".to_vec().into()),
    ] {
        let levels = vec![None, Some(None), Some(Some(()))];
        let rest = Some(origin.clone());
        let buffered = Buffered { id: 1, host, events: events.clone(), levels, rest };
        let echoed = submitter.submit(echo_buffered(buffered.clone()), &env).await.unwrap();
        assert_eq!(echoed, buffered);
    }
}

pub async fn undecodable_value_is_rejected_by_its_sender(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let error = submitter.submit(describe(Number::Big(7)), &env).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
    assert!(error.report().contains("argument 1: it cannot be read again"), "{error:?}");
    assert!(error.report().contains("128 bits"), "{error:?}");

    let error = submitter.submit(large_number(7), &env).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed, "{error:?}");
    let report = error.report();
    assert!(report.contains("its value cannot be sent back: it cannot be read again"), "{report}");
    assert!(report.contains("at [1]: ") && report.contains("128 bits"), "{report}");
}

pub async fn bytes_round_trip(submitter: &Submitter) {
    let bytes: Vec<u8> = (0..3 << 20).map(|index| (index % 251) as u8).collect();
    let mut reversed =
        submitter.submit(reverse(bytes.clone()), &RunEnvironment::new()).await.unwrap();
    reversed.reverse();
    assert!(reversed == bytes, "the bytes differ");
    let none = submitter.submit(reverse(Vec::new()), &RunEnvironment::new()).await.unwrap();
    assert!(none.is_empty());
}

pub async fn list_of_byte_vectors_round_trips(submitter: &Submitter) {
    let piece = |number: u32| (0..=number % 251).map(|byte| byte as u8).collect::<Vec<_>>();
    let pieces: Vec<_> = (0..32_768).map(piece).collect();
    let env = RunEnvironment::new();
    let mut reversed = submitter.submit(reverse_pieces(pieces.clone()), &env).await.unwrap();
    reversed.reverse();
    assert!(reversed == pieces, "the bytes differ");
}

pub async fn values_larger_than_the_inline_limit_round_trip(submitter: &Submitter) {
    for length in [60_000, 70_000, 3 << 20] {
        let text = submitter.submit(text_of(length), &RunEnvironment::new()).await.unwrap();
        assert_eq!(text.len(), length);
        let greeting = submitter.submit(greet(text), &RunEnvironment::new()).await.unwrap();
        assert_eq!(greeting.len(), "hello ".len() + length);
    }
}

pub async fn result_of_200_mib_is_returned(submitter: &Submitter) {
    let length = 200 << 20;
    let text = submitter.submit(text_of(length), &RunEnvironment::new()).await.unwrap();
    assert_eq!(text.len(), length);
}

pub async fn value_of_a_closure_is_argument_of_another(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let one = submitter.submit(greet("a".into()), &env).await.unwrap();
    let two = submitter.submit(compose(one), &env).await.unwrap();
    assert_eq!(two, "hello hello ahello hello a");
}

pub async fn dependency_has_its_own_component(submitter: &Submitter) {
    let closure = test_library::twice("ab".into());
    assert_eq!(submitter.submit(closure, &RunEnvironment::new()).await.unwrap(), "abab");
}

pub async fn recursive_function_succeeds(submitter: &Submitter) {
    let product = submitter.submit(factorial(20), &RunEnvironment::new()).await.unwrap();
    assert_eq!(product, (1..=20).product::<u64>());
}

pub async fn crates_may_share_a_function_name(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let ours = submitter.submit(name_of_crate(), &env).await.unwrap();
    let theirs = submitter.submit(test_library::name_of_crate(), &env).await.unwrap();
    assert_eq!((ours.as_str(), theirs.as_str()), ("guests, not library", "library"));
}

pub async fn ten_concurrent_submits_return_their_own_values(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let submits = (0..10).map(|index| submitter.submit(greet(index.to_string()), &env));
    let greetings = try_join_all(submits).await.unwrap();
    let expected: Vec<_> = (0..10).map(|index| format!("hello {index}")).collect();
    assert_eq!(greetings, expected);
}

pub async fn deeply_nested_value_is_rejected(submitter: &Submitter) {
    let env = RunEnvironment::new();
    assert!(submitter.submit(nested(50), &env).await.is_ok());
    assert!(submitter.submit(nested(127), &env).await.is_ok());
    let error = submitter.submit(nested(500), &env).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed, "{error:?}");
    let report = error.report();
    assert!(report.contains("its value cannot be sent back: at [0][0][0]"), "{report}");
    assert!(report.contains("it nests too deep: values may nest 128 levels"), "{report}");
}

pub async fn function_found_by_its_name_is_submitted(submitter: &Submitter) {
    let component = Component::open(component("test-guests")).unwrap();
    let names: Vec<_> =
        component.functions().iter().map(hype::component::Function::qualified_name).collect();
    assert!(names.contains(&"test-guests::greet".to_owned()), "{names:?}");
    let closure = component.function("greet").unwrap().bind::<String>(("hand",));
    let greeting = submitter.submit(closure, &RunEnvironment::new()).await.unwrap();
    assert_eq!(greeting, "hello hand");
}

/// Returns the path of a package's component, as built by `cargo hype build`.
pub fn component(package: &str) -> std::path::PathBuf {
    let program = std::env::current_exe().expect("a program's path");
    let inside = format!("hype/{package}.wasm");
    let found = program.ancestors().map(|path| path.join(&inside)).find(|path| path.exists());
    found.expect("a component built by cargo hype build")
}
