//! Runs the example `submits`, a program that submits to the cluster.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use test_storage_server::{Settings, StorageServer};

use super::cluster::AppliedYaml;

/// A bucket that requires a token, with the service account's key as a Secret.
pub(crate) struct GuardedBucket {
    pub(crate) server: StorageServer,
    /// The name of the Secret.
    pub(crate) secret: String,
    directory: tempfile::TempDir,
    _applied: AppliedYaml,
}

impl GuardedBucket {
    pub(crate) fn new() -> Self {
        let settings = Settings::new().with_bucket("bucket").with_service_account(&["bucket"]);
        let server = StorageServer::start(&settings).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let key = server.service_account();
        std::fs::write(directory.path().join("key.json"), &key).unwrap();
        // Concurrent tests use different ports, so the name is unique.
        let secret = format!("stage-key-{}", server.host().replace([':', '.'], "-"));
        let yaml = serde_json::json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": secret}, "stringData": {"key.json": key}});
        let applied = AppliedYaml::new(&yaml.to_string());
        Self { server, secret, directory, _applied: applied }
    }

    /// Returns the program, configured with this bucket as its stage.
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

/// Returns the program, with the tests' stage.
pub(crate) fn program() -> Command {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    let program = target.join("examples/submits");
    assert!(program.exists(), "cargo build --example submits");
    Command::new(program)
}

/// A program whose closure has printed "waiting".
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
        let mut output = String::new();
        while !output.ends_with("waiting\n") {
            assert!(stderr.read_line(&mut output).unwrap() > 0, "it ended: {output}");
        }
        Self { child, stdout, stderr, run, signal }
    }

    pub(crate) fn release(&self) {
        std::fs::write(self.signal.path().join("go"), "").unwrap();
    }

    /// Kills the program with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end. Returns the value that the program printed.
    pub(crate) fn value(mut self) -> String {
        let value = self.stdout.next().map(Result::unwrap);
        let mut output = String::new();
        self.stderr.read_to_string(&mut output).unwrap();
        assert!(self.child.wait().unwrap().success(), "{output}");
        value.unwrap()
    }
}

impl Drop for WaitingProgram {
    fn drop(&mut self) {
        // It has ended, unless a test failed.
        let _ = self.child.kill();
    }
}

/// Returns the lines that a successful program printed.
pub(crate) fn printed(output: &Output) -> Vec<String> {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
