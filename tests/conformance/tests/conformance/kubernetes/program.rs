//! A program that submits, seen from outside: the example `submits`.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use test_storage_server::{Settings, StorageServer};

use super::cluster::Applied;

/// A bucket that demands a token, the key of who has one, and that key as a Secret.
pub(crate) struct GuardedBucket {
    pub(crate) server: StorageServer,
    /// What the Secret is called.
    pub(crate) secret: String,
    directory: tempfile::TempDir,
    _applied: Applied,
}

impl GuardedBucket {
    pub(crate) fn new() -> Self {
        let settings = Settings::new().with_bucket("bucket").with_service_account(&["bucket"]);
        let server = StorageServer::start(&settings).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let key = server.service_account();
        std::fs::write(directory.path().join("key.json"), &key).unwrap();
        // No two tests have a server at the same port.
        let secret = format!("stage-key-{}", server.host().replace([':', '.'], "-"));
        let yaml = serde_json::json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": secret}, "stringData": {"key.json": key}});
        let applied = Applied::new(&yaml.to_string());
        Self { server, secret, directory, _applied: applied }
    }

    /// The program, for which this is the stage.
    pub(crate) fn program(&self) -> Command {
        conformance::build_guests();
        let mut program = program();
        program
            .env_remove("STORAGE_EMULATOR_HOST")
            .env("GOOGLE_BASE_URL", self.server.url())
            .env("GOOGLE_APPLICATION_CREDENTIALS", self.directory.path().join("key.json"))
            .env("HYPE_STAGING", "gs://bucket/guarded");
        program
    }
}

/// The program, for which the stage is that of the tests.
pub(crate) fn program() -> Command {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    let program = target.join("examples/submits");
    assert!(program.exists(), "cargo build --example submits");
    Command::new(program)
}

/// The program whose closure has said "waiting".
pub(crate) struct WaitingProgram {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: BufReader<ChildStderr>,
    pub(crate) run: String,
    signal: tempfile::TempDir,
}

impl WaitingProgram {
    pub(crate) fn start(mut program: Command) -> Self {
        let signal = tempfile::tempdir().unwrap();
        program.args(["wait".as_ref(), signal.path()]);
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let run = stdout.next().map(Result::unwrap).unwrap_or_default();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.ends_with("waiting\n") {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        Self { child, stdout, stderr, run, signal }
    }

    pub(crate) fn release(&self) {
        std::fs::write(self.signal.path().join("go"), "").unwrap();
    }

    /// Ends the program where it stands.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it prints in the end.
    pub(crate) fn value(mut self) -> String {
        let value = self.stdout.next().map(Result::unwrap);
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        value.unwrap()
    }
}

impl Drop for WaitingProgram {
    fn drop(&mut self) {
        // It has ended, unless a test failed.
        let _ = self.child.kill();
    }
}

/// What a program printed that ended well.
pub(crate) fn printed(output: &Output) -> Vec<String> {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
