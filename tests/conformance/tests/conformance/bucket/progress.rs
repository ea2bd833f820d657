//! What a bar shows of an upload: it moves by what is sent, not by files.

use conformance::told::told;
use hype::{RunEnvironment, Submitter};
use hype_wire::Digest;
use test_guests::values::greet;

use super::{BUCKET, in_process, server};

/// As large as five parts of an upload.
const SIZE: usize = 40 << 20;

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the test below sets"]
fn one_large_file() {
    conformance::build_guests();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![1; SIZE]).unwrap();
    let submitter = Submitter::local_with(&format!("gs://{BUCKET}/prefix")).unwrap();
    let env = RunEnvironment::new().with_file(file.path(), "/data/file");
    let (value, lines) = told(submitter.submit(greet("you".into()), &env));
    value.unwrap();
    let steps = format!("more of {} is in the stage", Digest::of(&vec![1; SIZE]));
    // What is sent before anybody looks is told at once.
    assert!(lines.iter().filter(|line| **line == steps).count() > 1, "{lines:?}");
}

#[test]
fn an_upload_is_told_part_by_part() {
    in_process("progress::one_large_file", &server());
}
