//! A panic of the program with the report of a failure.

use std::process::Command;

#[test]
fn unwrapped_failure_prints_closure_backtrace() {
    conformance::build_guests();
    let stage = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ended"))
        .arg("unwrap")
        .env("HYPE_STAGING", format!("file://{}", stage.path().display()))
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("panicked at") && stderr.contains("Backtrace of the closure:"),
        "{stderr}"
    );
    assert!(!stderr.contains("RUST_BACKTRACE"), "{stderr}");
}
