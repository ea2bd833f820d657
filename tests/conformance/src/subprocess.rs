//! Tests that need a process of their own, since they change or measure process-wide state.

use std::process::Command;

/// The variable that names the test a process was started for.
const TEST: &str = "HYPE_TEST_SUBPROCESS";

/// Runs `body` in a new process of this test program, which runs only the test named `test`. That test must do
/// nothing but call this function.
///
/// # Panics
///
/// Panics if the test fails there.
pub fn run_in_subprocess(test: &str, body: fn()) {
    if std::env::var_os(TEST).is_some_and(|name| name == test) {
        return body();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(TEST, test)
        .output()
        .unwrap();
    let [output_text, errors] =
        [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    assert!(output.status.success() && output_text.contains("1 passed"), "{output_text}\n{errors}");
}
