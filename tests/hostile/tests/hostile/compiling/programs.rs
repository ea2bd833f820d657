//! hype's own programs kill their compilations at the run's timeout, and take them along when they are killed.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use conformance::{cargo_hype, hype_run};
use hostile::attack::runtime;
use hostile::attacks::components::slow;
use hostile::{Attack, Staged};
use hype_wire::Limits;

use super::SOON;
use super::children::{compiling_children, wait_until};

fn staged(timeout: Option<Duration>) -> Staged {
    runtime().block_on(async {
        let mut staged = Staged::new(&slow().component).await;
        let timeout_ms = timeout.map(|timeout| timeout.as_millis() as u64);
        staged.manifest.job.limits = Limits { timeout_ms, ..Limits::default() };
        staged.request(true).await;
        staged
    })
}

/// Starts hype-run with a staged run.
fn start(staged: &Staged) -> Child {
    let request = runtime().block_on(staged.request(true));
    let digest = request.digest.unwrap().to_string();
    let mut command = Command::new(hype_run());
    command.args(["run", &request.manifest_url, "--digest", &digest]);
    command.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn hype_run_ends_at_the_timeout() {
    let staged = staged(Some(Duration::from_secs(1)));
    // Builds it, which may wait for another build.
    hype_run();
    let started = Instant::now();
    let status = start(&staged).wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    let outcome = std::fs::read(staged.directory.path().join("runs/run-1/outcome")).unwrap();
    let text = String::from_utf8_lossy(&outcome).into_owned();
    assert!(text.contains("took longer than the run's timeout of 1s"), "{text:?}");
}

#[test]
fn killed_hype_run_takes_its_compilation_along() {
    let staged = staged(None);
    let mut program = start(&staged);
    wait_until(|| !compiling_children(program.id()).is_empty());
    let children = compiling_children(program.id());
    program.kill().unwrap();
    program.wait().unwrap();
    let is_gone = |pid: &u32| !std::path::Path::new(&format!("/proc/{pid}")).exists();
    wait_until(|| children.iter().all(is_gone));
}

#[test]
fn cargo_hype_ends_at_the_timeout() {
    let directory = tempfile::tempdir().unwrap();
    let component = directory.path().join("slow.wasm");
    let Attack { component: bytes, .. } = slow();
    std::fs::write(&component, bytes).unwrap();
    let program = cargo_hype();
    let started = Instant::now();
    let output = Command::new(program)
        .args(["hype", "call", "--timeout", "1s"])
        .args([component.as_os_str(), "hostile".as_ref()])
        .env("XDG_CACHE_HOME", directory.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("compiling slow.wasm took longer than the run's timeout of 1s"),
        "{errors}"
    );
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}
