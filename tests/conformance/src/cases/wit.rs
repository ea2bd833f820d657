//! Functions with WIT types, of a component that was built without hype.

use futures::StreamExt;
use hype::component::EncodedValue;
use hype::{Closure, ErrorKind, FailureKind, RunEnvironment, Submitter};
use serde::{Deserialize, Serialize};
use test_guests::chaining;

use crate::wit_guests::wit_guests;

/// The same functions, with types of the compiler.
mod typed {
    hype::component!("../wit-guests/wit/text.wit", package = "wit-guests");
}

/// Field names as is usual in Rust.
#[derive(Debug, PartialEq, Deserialize)]
struct Count {
    word: String,
    times_seen: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Order {
    MostFrequent,
    Alphabetical,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Problem {
    EmptyText,
    TooLong(u32),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Everything {
    flag: bool,
    smallest: i64,
    largest: u64,
    ratio: f32,
    number: f64,
    letter: char,
    text: String,
    bytes: Vec<u8>,
    pair: (u8, i16),
    maybe: Option<Option<u32>>,
    order: Order,
    options: Vec<String>,
    problems: Vec<Problem>,
    outcome: Result<u8, String>,
}

fn closure<T: serde::de::DeserializeOwned + 'static>(
    function: &str,
    arguments: impl hype::component::Arguments,
) -> Closure<T> {
    wit_guests().function(function).unwrap().bind(arguments)
}

async fn submit<T: serde::de::DeserializeOwned + Send + 'static>(
    submitter: &Submitter,
    closure: Closure<T>,
) -> hype::Result<T> {
    submitter.submit(closure, &RunEnvironment::new()).await
}

pub async fn exported_function_returns_its_value(submitter: &Submitter) {
    let top = closure::<Vec<Count>>("acme:text/stats.top", ("a b a", 1));
    assert_eq!(top.function(), "top");
    let counts = submit(submitter, top).await.unwrap();
    assert_eq!(counts, [Count { word: "a".into(), times_seen: 2 }]);
    let greeting = submit(submitter, closure::<String>("greet", ("wörld",))).await.unwrap();
    assert_eq!(greeting, "hello wörld");
    for size in [100_000, 3 << 20] {
        let bytes: Vec<u8> = (0..size).map(|index: u32| (index % 251) as u8).collect();
        let expected: Vec<u8> = bytes.iter().rev().copied().collect();
        // A byte string, and an array of integers.
        let numbers: Vec<u16> = bytes.iter().copied().map(u16::from).collect();
        for reversed in [
            closure::<Vec<u8>>("reverse", (hype::Bytes(bytes),)),
            closure::<Vec<u8>>("reverse", (numbers,)),
        ] {
            assert_eq!(submit(submitter, reversed).await.unwrap(), expected);
        }
    }
}

pub async fn value_of_every_wit_type_comes_back_unchanged(submitter: &Submitter) {
    let everything = |maybe| Everything {
        flag: true,
        smallest: i64::MIN,
        largest: u64::MAX,
        ratio: f32::INFINITY,
        number: -0.0,
        letter: 'ß',
        text: "line\nline".into(),
        bytes: vec![0, 255],
        pair: (200, -300),
        maybe,
        order: Order::Alphabetical,
        options: vec!["ignore-case".into()],
        problems: vec![Problem::EmptyText, Problem::TooLong(7)],
        outcome: Err("none".into()),
    };
    for maybe in [None, Some(None), Some(Some(3))] {
        let sent = everything(maybe);
        let echo = closure::<Everything>("acme:text/stats@1.2.0.echo", (sent.clone(),));
        assert_eq!(submit(submitter, echo).await.unwrap(), sent);
        // A value of WIT types is an argument as it is.
        let env = RunEnvironment::new();
        let echo = || wit_guests().function("echo").unwrap();
        let run = submitter.spawn(echo().bind::<Everything>((sent.clone(),)), &env);
        let run = run.then::<Everything>(echo().typed(), &env);
        assert_eq!(run.wait().await.unwrap(), sent);
    }
}

pub async fn closure_and_function_with_wit_types_are_chained(submitter: &Submitter) {
    let env = RunEnvironment::new();
    let greet = wit_guests().function("greet").unwrap().typed::<(String,), String>();
    let run = submitter.spawn(chaining::show(7), &env).then(greet, &env);
    let run = run.then(chaining::join::HANDLE.bind_rest(("!".into(),)), &env);
    assert_eq!(run.wait().await.unwrap(), "hello 7;!");
    let reverse = wit_guests().function("reverse").unwrap().typed::<_, hype::Bytes>();
    let run = submitter.spawn(chaining::fill_bytes(3, 1 << 20), &env).then(reverse, &env);
    let run = run.then(chaining::measure::HANDLE.bind_rest(("a".into(),)), &env);
    assert_eq!(run.wait().await.unwrap(), (7, 1 << 20, "a".to_owned()));
}

pub async fn error_of_a_result_is_a_failure_with_its_value(submitter: &Submitter) {
    let words = |text: &str| closure::<u32>("words", (text, ["skip-short"]));
    assert_eq!(submit(submitter, words("long words")).await.unwrap(), 2);
    for (text, message, problem) in [
        ("a b", "empty-text", Problem::EmptyText),
        ("four four four four", r#"{"too-long":4}"#, Problem::TooLong(4)),
    ] {
        let failed = submit(submitter, words(text)).await;
        let (error, failure) = crate::failure(failed, FailureKind::Function);
        assert_eq!(failure.message, message, "{error:?}");
        assert_eq!(failure.value::<Problem>().unwrap(), problem);
        failure.value::<EncodedValue>().unwrap();
    }
}

pub async fn argument_of_another_type_is_rejected_before_the_run(submitter: &Submitter) {
    let rejected = async |closure: Closure<EncodedValue>| {
        let error = submit(submitter, closure).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
        error.report()
    };
    for (closure, problem) in [
        (
            closure("acme:text/stats.top", ("a", "ten")),
            r#"argument 2 (n): expected u32, found "ten""#,
        ),
        (closure("acme:text/stats.top", ("a",)), "expected 2 arguments (text, n), found 1"),
        (
            closure("words", ("a", ["skip-long"])),
            r#"argument 2 (options): expected flags { ignore-case, skip-short }, found "skip-long""#,
        ),
    ] {
        let report = rejected(closure).await;
        assert!(report.contains(problem), "{report}");
    }
}

pub async fn generated_constructors_and_types_fit_the_component(submitter: &Submitter) {
    use typed::stats::{self, Everything, Options, Order, Problem};
    // Builds it.
    wit_guests();
    let counts = submit(submitter, stats::top("a b a".into(), 1)).await.unwrap();
    assert_eq!((counts[0].word.as_str(), counts[0].times_seen), ("a", 2));
    assert_eq!(submit(submitter, typed::greet("you".into())).await.unwrap(), "hello you");
    let everything = Everything {
        flag: true,
        smallest: i64::MIN,
        largest: u64::MAX,
        ratio: 0.5,
        number: f64::NEG_INFINITY,
        letter: 'ß',
        text: "line\nline".into(),
        bytes: hype::Bytes(vec![0, 255]),
        pair: (200, -300),
        maybe: Some(None),
        order: Order::Alphabetical,
        options: Options { ignore_case: false, skip_short: true },
        problems: vec![Problem::EmptyText, Problem::TooLong(7)],
        outcome: Ok(3),
    };
    let echoed = submit(submitter, stats::echo(everything.clone())).await.unwrap();
    assert_eq!(echoed, everything);
    let failed = submit(submitter, stats::words("a b".into(), everything.options)).await;
    let (_, failure) = crate::failure(failed, FailureKind::Function);
    assert_eq!(failure.value::<Problem>().unwrap(), Problem::EmptyText);
}

pub async fn generated_functions_are_chained(submitter: &Submitter) {
    use typed::stats;
    // Builds it.
    wit_guests();
    let env = RunEnvironment::new();
    let run = submitter.spawn(typed::greet("a b a".into()), &env);
    let run = run.then(stats::TOP_HANDLE.bind_rest((1,)), &env);
    let counts = run.wait().await.unwrap();
    assert_eq!((counts[0].word.as_str(), counts[0].times_seen), ("a", 2));
    let names = ["a", "b"].map(String::from);
    let greetings = submitter.map(names.into_iter().map(typed::greet), &env);
    let greetings = greetings.then(typed::GREET_HANDLE);
    let greetings = greetings.map(Result::unwrap).collect::<Vec<_>>().await;
    assert_eq!(greetings, ["hello hello a", "hello hello b"]);
}
