//! Runs that are cancelled while they execute.

use super::*;

#[test]
fn cancelled_run_writes_no_outcome() {
    let signal = tempfile::tempdir().unwrap();
    let prepared = Prepared::waiting(signal.path());
    let mut running = Command::new(program())
        .args(prepared.arguments())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(running.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    std::fs::remove_file(prepared.directory.path().join(names::manifest(RUN))).unwrap();
    // hype-run checks for the manifest only after a function that took half a second.
    std::thread::sleep(Duration::from_millis(600));
    std::fs::write(signal.path().join("go"), "").unwrap();
    let ended = running.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("its manifest was removed"), "{}", stderr(&ended));
    let left: Vec<_> = std::fs::read_dir(prepared.directory.path().join("runs/run-1"))
        .into_iter()
        .flatten()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
