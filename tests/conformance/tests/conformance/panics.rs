//! A program's own panic that carries the report of a failure.

use std::process::Command;

#[test]
fn unwrapped_failure_shows_its_backtrace_without_std_s_note() {
    conformance::build_guests();
    let stage = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ended"))
        .arg("unwrap")
        .env("HYPE_STAGING", format!("file://{}", stage.path().display()))
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("panicked at") && said.contains("Backtrace of the closure:"), "{said}");
    assert!(!said.contains("RUST_BACKTRACE"), "{said}");
}
