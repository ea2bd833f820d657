//! Calls of one prepared job share its staged files, and no call can change them for other calls.

use conformance::subprocess::run_in_subprocess;
use futures::future::try_join_all;
use hostile::Staged;
use hostile::attack::runtime;
use hype_run::{CommandIsolation, Executor, GuestOutput, Prepared};
use hype_wire::{Call, CommandName, File, Payload, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use test_guests::process::{CommandResult, CommandSpec};

use super::{executor, guests};

const PATH: &str = "/data/nested/file";

/// Stages a run with a file that contains `staged`.
async fn staged(guests: &[u8]) -> Staged {
    let mut staged = Staged::new(guests).await;
    let blob = staged.put(b"staged").await;
    staged.manifest.job.files = vec![File { path: PATH.parse().unwrap(), blob }];
    staged
}

fn call(function: &str, argument: &impl Serialize) -> Call {
    let mut arguments = codec::array_head(1);
    codec::append(&mut arguments, argument).unwrap();
    Call::closure(function, Payload::Inline(arguments.into()))
}

async fn value<T: DeserializeOwned>(prepared: &Prepared<&Executor>, call: &Call) -> T {
    let execution = prepared.call(call, &GuestOutput::new(|_, _| {})).await;
    codec::from_slice(&execution.value.unwrap()).unwrap()
}

#[test]
fn concurrent_calls_read_the_same_staged_file() {
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

/// Runs in a separate process, which adopts the processes of commands and ends all its descendants, as in a container.
#[test]
fn command_cannot_change_a_staged_file_for_other_calls() {
    run_in_subprocess(
        "files::shared::command_cannot_change_a_staged_file_for_other_calls",
        alter_staged_file,
    );
}

fn alter_staged_file() {
    let alter = CommandSpec {
        program: "sh".to_owned(),
        arguments: ["-c", "chmod u+w . file; echo altered > file; cat file"]
            .map(str::to_owned)
            .into(),
        directory: Some("/data/nested".to_owned()),
        ..CommandSpec::default()
    };
    let guests = guests();
    let read = call("read_surely", &PATH);
    let alter = call("perform", &alter);
    let unisolated = Executor::new().with_commands(CommandIsolation::Container);
    for (executor, output) in [(&unisolated, "altered\n"), (executor(), "staged")] {
        runtime().block_on(async {
            let mut staged = staged(guests).await;
            let shell = CommandName::try_from("sh".to_owned()).unwrap();
            staged.manifest.job.powers.commands = vec![shell];
            let request = staged.request(true).await;
            let (prepared, _) = Prepared::fetch(executor, &request).await.unwrap();
            for _ in 0..2 {
                assert_eq!(value::<String>(&prepared, &read).await, "staged");
                let done: CommandResult = value(&prepared, &alter).await;
                assert_eq!(done.out, output, "{done:?}");
            }
        });
    }
}
