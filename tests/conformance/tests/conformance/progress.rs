//! Messages about the progress of uploads.

use std::fs;

use conformance::log_capture::capture_log;
use hype::{RunEnvironment, Submitter};
use test_guests::values::greet;

#[test]
fn second_submit_uploads_nothing() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "content").unwrap();
    let url = format!("file://{}/stage", directory.path().display());
    let submitter = Submitter::local_with(&url).unwrap();
    let env = RunEnvironment::new().with_file(&file, "/file");
    let lines = |env: &RunEnvironment| {
        let (value, lines) = capture_log(submitter.submit(greet("x".into()), env));
        value.unwrap();
        lines.into_iter().filter(|line| line.starts_with("uploading")).collect::<Vec<_>>()
    };
    let starting = |count| format!("uploading {count} files to {url}");
    let complete =
        |new, cached| format!("uploading complete: {new} newly uploaded, {cached} cached");
    assert_eq!(lines(&env), [starting(3), complete(3, 0)]);
    assert_eq!(lines(&env), [starting(3), complete(0, 3)]);
    fs::write(&file, "changed").unwrap();
    assert_eq!(lines(&env), [starting(3), complete(1, 2)]);
}
