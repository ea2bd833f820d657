//! Whole programs, which were built without hype.

use hype::component::ProgramOutput;
use hype::{Closure, FailureKind, RunEnvironment, Submitter};

use crate::failure;
use crate::test_programs::test_programs;

fn program<const N: usize>(arguments: [&str; N]) -> Closure<ProgramOutput> {
    test_programs().program(arguments).unwrap()
}

async fn submit(
    submitter: &Submitter,
    closure: Closure<ProgramOutput>,
) -> hype::Result<ProgramOutput> {
    submitter.submit(closure, &RunEnvironment::new()).await
}

/// Returns the bytes that the program's action `bytes` writes.
fn expected_bytes(length: usize) -> Vec<u8> {
    let pattern = "\u{2063}one\r\n\n\0\u{1b}[31m".bytes().chain(0..=255);
    pattern.cycle().take(length).collect()
}

pub async fn program_has_its_arguments_and_both_outputs(submitter: &Submitter) {
    let output = submit(submitter, program(["arguments", "", "two words", "ä"])).await.unwrap();
    assert_eq!(output.status, Some(0));
    let stdout = "[\"program\", \"arguments\", \"\", \"two words\", \"ä\"]\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "5 arguments\n");
}

pub async fn program_reads_its_standard_input(submitter: &Submitter) {
    let upper = program(["upper"]).with_stdin("line\nwithout end");
    assert_eq!(submit(submitter, upper).await.unwrap().stdout, b"LINE\nWITHOUT END");
    assert_eq!(submit(submitter, program(["upper"])).await.unwrap().stdout, b"");
    let input = expected_bytes(100_000);
    let copy = program(["copy"]).with_stdin(input.clone());
    assert!(submit(submitter, copy).await.unwrap().stdout == input);
}

pub async fn output_of_a_program_is_exact(submitter: &Submitter) {
    for size in [1000, 300_000] {
        let output = submit(submitter, program(["bytes", &size.to_string()])).await.unwrap();
        assert!(output.stdout == expected_bytes(size), "{} bytes", output.stdout.len());
        assert_eq!(output.stderr, b"no line feed");
    }
}

pub async fn program_sees_its_environment(submitter: &Submitter) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("text");
    std::fs::write(&file, "content").unwrap();
    let file = file.to_str().unwrap();
    let env = RunEnvironment::new().with_env("NAME", "value").with_file(file, "/data/text");
    for (arguments, expected) in
        [(["read", "/data/text"], "content"), (["variable", "NAME"], "value")]
    {
        let output = submitter.submit(program(arguments), &env).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
}

pub async fn exit_status_is_a_failure_with_the_output(submitter: &Submitter) {
    for status in [1, 77] {
        let ended = submit(submitter, program(["exit", &status.to_string()])).await;
        let (error, failure) = failure(ended, FailureKind::Exit);
        assert_eq!(error.to_string(), format!("`program` exited with status {status}"));
        assert_eq!(failure.exit_status, Some(status));
        let output: ProgramOutput = failure.value().unwrap();
        assert_eq!((output.status, &*output.stdout), (Some(status), &b"output"[..]));
    }
    assert_eq!(submit(submitter, program(["exit", "0"])).await.unwrap().stdout, b"output");
}

pub async fn crashed_program_keeps_its_output(submitter: &Submitter) {
    let ended = submit(submitter, program(["abort"])).await;
    let (error, failure) = failure(ended, FailureKind::Trap);
    assert!(error.to_string().contains("`program` trapped"), "{error:?}");
    let output: ProgramOutput = failure.value().unwrap();
    assert_eq!((output.status, &*output.stdout), (None, &b"output\n"[..]));
}

pub async fn endless_output_ends_at_its_limit(submitter: &Submitter) {
    let env = RunEnvironment::new().with_max_value(1 << 20);
    let ended = submitter.submit(program(["flood"]), &env).await;
    let (error, _) = failure(ended, FailureKind::Result);
    let message = "the output of `program` is larger than its limit of 1 MiB";
    assert!(error.report().contains(message), "{error:?}");
}
