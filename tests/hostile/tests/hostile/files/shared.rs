//! Calls of one prepared job share its staged files, and none can change them for the others.

use futures::future::try_join_all;
use hostile::Staged;
use hostile::shape::runtime;
use hype_run::{CommandPlace, Executor, Output, Prepared};
use hype_wire::{Call, CommandName, File, Payload, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use test_guests::process::{Done, Order};

use super::{executor, guests};

const PATH: &str = "/data/nested/file";

/// A run whose job shows a file with the text `staged`.
async fn staged(guests: &[u8]) -> Staged {
    let mut staged = Staged::new(guests).await;
    let blob = staged.put(b"staged").await;
    staged.manifest.job.files = vec![File { path: PATH.to_owned(), blob }];
    staged
}

fn call(function: &str, argument: &impl Serialize) -> Call {
    let mut arguments = codec::array_head(1);
    codec::append(&mut arguments, argument).unwrap();
    Call::closure(function, Payload::Inline(arguments.into()))
}

async fn value<T: DeserializeOwned>(prepared: &Prepared<'_>, call: &Call) -> T {
    let execution = prepared.call(call, &Output::new(|_, _| {})).await;
    codec::from_slice(&execution.value.unwrap()).unwrap()
}

#[test]
fn a_thousand_calls_read_the_same_staged_file() {
    let guests = guests();
    runtime().block_on(async {
        let staged = staged(guests).await;
        let request = staged.request(true).await;
        let (prepared, _) = Prepared::fetch(executor(), &request).await.unwrap();
        let read = call("read_surely", &PATH);
        for _ in 0..10 {
            let calls = (0..100).map(|_| async {
                Ok::<_, std::convert::Infallible>(value::<String>(&prepared, &read).await)
            });
            let texts = try_join_all(calls).await.unwrap();
            assert!(texts.iter().all(|text| text == "staged"), "{texts:?}");
        }
    });
}

#[test]
fn a_command_cannot_change_a_staged_file_for_other_calls() {
    let alter = Order {
        program: "sh".to_owned(),
        arguments: ["-c", "chmod u+w . file; echo altered > file; cat file"]
            .map(str::to_owned)
            .into(),
        directory: Some("/data/nested".to_owned()),
        ..Order::default()
    };
    let guests = guests();
    let read = call("read_surely", &PATH);
    let alter = call("perform", &alter);
    let here = Executor::new().with_commands(CommandPlace::Here);
    for (executor, seen) in [(&here, "altered\n"), (executor(), "staged")] {
        runtime().block_on(async {
            let mut staged = staged(guests).await;
            let shell = CommandName::try_from("sh".to_owned()).unwrap();
            staged.manifest.job.powers.commands = vec![shell];
            let request = staged.request(true).await;
            let (prepared, _) = Prepared::fetch(executor, &request).await.unwrap();
            for _ in 0..2 {
                assert_eq!(value::<String>(&prepared, &read).await, "staged");
                let done: Done = value(&prepared, &alter).await;
                assert_eq!(done.out, seen, "{done:?}");
            }
        });
    }
}
