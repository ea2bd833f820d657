//! Closures that compute while other parts of `hype-run` have something to do.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Output};

use hype_run::{Platform, precompile};
use hype_wire::{Artefact, Failure};

use super::*;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A process of `hype-run` that writes a termination log.
struct Running {
    child: Child,
    log: tempfile::NamedTempFile,
}

impl Running {
    fn start(prepared: &Prepared) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let digest = prepared.digest.to_string();
        let child = Command::new(program())
            .args(["run", &prepared.url(), "--digest", &digest, "--termination-log"])
            .arg(log.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Returns the next line of the closure's output.
    fn next_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    }

    /// Sends SIGTERM and waits for the end. Returns the output and the termination line.
    fn terminate(self) -> (Output, TerminationLine) {
        let Self { child, log } = self;
        let pid = child.id().to_string();
        let kill = |signal: &str| Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(kill("-TERM").success());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ended = runtime.block_on(async {
            let ended = tokio::task::spawn_blocking(|| child.wait_with_output());
            tokio::time::timeout(TIMEOUT, ended).await
        });
        let Ok(ended) = ended else {
            kill("-KILL");
            panic!("hype-run goes on");
        };
        (ended.unwrap().unwrap(), std::fs::read_to_string(log.path()).unwrap().parse().unwrap())
    }
}

/// Returns the outcome of the first attempt, and checks that `line` proves it.
fn proven(prepared: &Prepared, line: &TerminationLine) -> Outcome {
    let name = "runs/run-1/attempts/1/outcome";
    let bytes = std::fs::read(prepared.directory.path().join(name)).unwrap();
    assert!(line.outcome.ends_with(name), "{line}");
    assert_eq!(line.digest, Digest::of(&bytes));
    assert!(!prepared.directory.path().join("runs/run-1/outcome").exists());
    prepared.outcome(name)
}

fn failed(outcome: &Outcome) -> &Failure {
    match &outcome.end {
        End::Failure(failure) => failure,
        End::Value(_) => panic!("a value"),
    }
}

#[test]
fn sigterm_stops_an_endless_loop() {
    let prepared = Prepared::new("say_then_spin", &["computing"], |_| {});
    let mut running = Running::start(&prepared);
    assert_eq!(running.next_line(), "computing\n");
    let (ended, line) = running.terminate();
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let outcome = proven(&prepared, &line);
    let failure = failed(&outcome);
    assert_eq!(failure.kind, FailureKind::Interrupted, "{failure:?}");
    // The innermost function may be `black_box`.
    let mut functions = failure.backtrace.iter().map(|frame| &frame.function);
    assert!(functions.any(|function| function.ends_with("spin_inside")), "{failure:?}");
    assert_eq!(&*outcome.stdout.0, b"computing\n");
    let statistics = &outcome.statistics;
    assert!(statistics.run_us > 0 && statistics.cpu_us > 0, "{statistics:?}");
    assert!(statistics.peak_memory > 0, "{statistics:?}");
}

/// The closure makes no call of the host once it has passed the last bytes of the body.
#[test]
fn body_streams_while_the_closure_computes() {
    const SIZE: usize = 300_000;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let prepared = Prepared::new("send_then_spin", &[], |manifest| {
        manifest.call.arguments = Payload::Inline(codec::to_vec(&(&url, SIZE)).unwrap().into());
        manifest.job.powers.http = vec![url.parse().unwrap()];
    });
    let mut running = Running::start(&prepared);
    let (mut connection, _) = listener.accept().unwrap();
    connection.set_read_timeout(Some(TIMEOUT)).unwrap();
    let (mut received, mut bytes) = (0, vec![0; 64 << 10]);
    while received < SIZE {
        match connection.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(size) => received += bytes[..size].iter().filter(|byte| **byte == b'x').count(),
        }
    }
    assert!(running.child.try_wait().unwrap().is_none());
    let (ended, line) = running.terminate();
    assert_eq!(received, SIZE, "{}", stderr(&ended));
    assert_eq!(failed(&proven(&prepared, &line)).kind, FailureKind::Interrupted);
}

/// Code that another version of hype has staged is no error.
#[test]
fn checked_code_is_compiled_again() {
    conformance::build_guests();
    let platform = Platform::here().unwrap();
    let code = precompile(&std::fs::read(component("test-guests")).unwrap(), platform).unwrap();
    let blob = Blob::of(&code);
    let prepared = Prepared::new("greet", &["you"], |manifest| {
        manifest.job.artefact = Some(Artefact { platform: platform.to_string(), blob });
    });
    let stage = Stage::in_directory(prepared.directory.path()).unwrap();
    wait(stage.put(&names::blob(&blob.digest), code.into())).unwrap();
    let output = prepared.run();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let outcome = prepared.outcome("runs/run-1/outcome");
    assert_eq!(value(&outcome), "hello you");
    assert_eq!(outcome.statistics.code, Code::Compiled);
    let reason = outcome.statistics.why_compiled.unwrap();
    assert!(reason.contains("contains checks"), "{reason}");
}
