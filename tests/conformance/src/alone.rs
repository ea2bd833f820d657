//! Tests in processes of their own, since they need or change what belongs to a whole process.

use std::process::Command;

/// The variable that tells a process which test it was started for.
const TEST: &str = "HYPE_TEST_ALONE";

/// Runs `body`, which is all that the test of this name does, in a process of its own: this program once more, with
/// that test and no other.
///
/// # Panics
///
/// When the test fails there.
pub fn alone(test: &str, body: fn()) {
    if std::env::var_os(TEST).is_some_and(|started_for| started_for == test) {
        return body();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(TEST, test)
        .output()
        .unwrap();
    let [told, errors] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    assert!(output.status.success() && told.contains("1 passed"), "{told}\n{errors}");
}
