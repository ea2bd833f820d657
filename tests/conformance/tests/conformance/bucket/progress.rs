//! Progress of an upload: it moves by parts, not by files.

use conformance::log_capture::capture_log;
use hype::{RunEnvironment, Submitter};
use hype_wire::Digest;
use test_guests::values::greet;

use super::{BUCKET, in_process, server};

/// The size of the file: five parts of an upload.
const SIZE: usize = 40 << 20;

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the test below sets"]
fn large_file_is_staged_in_steps() {
    conformance::build_guests();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![1; SIZE]).unwrap();
    let submitter = Submitter::local_with(&format!("gs://{BUCKET}/prefix")).unwrap();
    let env = RunEnvironment::new().with_file(file.path(), "/data/file");
    let (value, lines) = capture_log(submitter.submit(greet("you".into()), &env));
    value.unwrap();
    let steps = format!("more of {} is in the stage", Digest::of(&vec![1; SIZE]));
    // Parts sent before the first poll are reported in one message.
    assert!(lines.iter().filter(|line| **line == steps).count() > 1, "{lines:?}");
}

#[test]
fn upload_progress_is_reported_per_part() {
    in_process("progress::large_file_is_staged_in_steps", &server());
}
