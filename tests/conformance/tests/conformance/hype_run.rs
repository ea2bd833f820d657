//! The command `hype-run`, as an image starts it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use conformance::cases::values::component;
use hype_run::{CodeKind, Platform, Target, precompile};
use hype_stage::Stage;
use hype_wire::{
    Access, Artefact, Authenticity, Blob, Call, Code, ComponentRef, Digest, End, FailureKind, Job,
    Mount, Outcome, Payload, RunKey, RunManifest, TerminationLine, codec, names, unseal,
};

mod cache;
#[path = "hype_run/cancelled.rs"]
mod cancelled;
#[cfg(target_os = "linux")]
mod commands;
#[cfg(target_os = "linux")]
mod guest_thread;
mod items;
mod once;

const RUN: &str = "run-1";

/// A stage that holds one run with its machine code, ready to start.
struct Prepared {
    directory: tempfile::TempDir,
    digest: Digest,
}

/// Returns the target of the machine code that a process of one call loads.
fn here() -> Target {
    let platform = Platform::here().expect("tests run where machine code can be made for");
    Target { platform, kind: CodeKind::Unchecked }
}

/// Returns the guests' machine code, compiled once since that takes seconds.
fn machine_code() -> Bytes {
    static CODE: OnceLock<Bytes> = OnceLock::new();
    let make = || {
        conformance::build_guests();
        precompile(&std::fs::read(component("test-guests")).unwrap(), here()).unwrap().into()
    };
    CODE.get_or_init(make).clone()
}

impl Prepared {
    fn new(function: &str, arguments: &[&str], change: impl FnOnce(&mut RunManifest)) -> Self {
        conformance::build_guests();
        let directory = tempfile::tempdir().unwrap();
        let bytes = Bytes::from(std::fs::read(component("test-guests")).unwrap());
        let blob = Blob::of(&bytes);
        let mut encoded = codec::array_head(u32::try_from(arguments.len()).unwrap());
        for argument in arguments {
            codec::append(&mut encoded, argument).unwrap();
        }
        let component = ComponentRef { name: "test-guests.wasm".into(), blob };
        let payload = Payload::Inline(encoded.into());
        let code = machine_code();
        let code_blob = Blob::of(&code);
        let mut job = Job::new(component);
        job.artefact = Some(Artefact { platform: here().to_string(), blob: code_blob });
        let mut manifest =
            RunManifest::new(RUN.parse().unwrap(), job, Call::closure(function, payload));
        change(&mut manifest);
        let manifest = Bytes::from(manifest.to_bytes().unwrap());
        let digest = Digest::of(&manifest);
        let stage = Stage::in_directory(directory.path()).unwrap();
        wait(async {
            stage.put(&names::blob(&blob.digest), bytes).await.unwrap();
            stage.put(&names::blob(&code_blob.digest), code).await.unwrap();
            stage.put(&names::manifest(RUN), manifest).await.unwrap();
        });
        Self { directory, digest }
    }

    /// Stages a function that prints `waiting` and waits for the file `go` in the directory `signal`.
    fn waiting(signal: &Path) -> Self {
        Self::new("say_then_wait_for", &["waiting", "/signal/go"], |manifest| {
            manifest.job.mounts.push(Mount {
                source: signal.to_str().unwrap().into(),
                path: "/signal".parse().unwrap(),
                access: Access::ReadOnly,
            });
        })
    }

    fn url(&self) -> String {
        format!("file://{}/{}", self.directory.path().display(), names::manifest(RUN))
    }

    /// Returns the arguments that run it. Machine code is only loaded with the digest.
    fn arguments(&self) -> [String; 4] {
        ["run".into(), self.url(), "--digest".into(), self.digest.to_string()]
    }

    fn run(&self) -> Output {
        self.run_with(&[], &[])
    }

    /// Runs it with more arguments, in an environment.
    fn run_with(&self, arguments: &[&str], env: &[(&str, &str)]) -> Output {
        let run = self.arguments();
        let all: Vec<&str> =
            run.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        hype_run(&all, env)
    }

    fn outcome(&self, name: &str) -> Outcome {
        Outcome::from_bytes(&std::fs::read(self.directory.path().join(name)).unwrap()).unwrap()
    }
}

/// Without the log in the stage, lines beyond the outcome's 64 KiB would be lost with the container.
#[test]
fn long_log_is_kept_in_the_stage() {
    let long = "line\n".repeat(20_000);
    let prepared = Prepared::new("say", &[&long, "error"], |_| {});
    let ended = prepared.run_with(&["--mark-errors", "--keep-log"], &[]);
    assert!(ended.status.success(), "{ended:?}");
    let kept = prepared.directory.path().join(names::log(RUN, 1));
    let kept = std::fs::read(kept).unwrap();
    assert_eq!(prepared.outcome("runs/run-1/outcome").log, Some(Blob::of(&kept)));
    assert_eq!(kept, ended.stdout);
    assert_eq!(kept.iter().filter(|byte| **byte == b'\n').count(), 20_001);
}

#[test]
fn short_log_is_kept_only_in_the_outcome() {
    let prepared = Prepared::new("say", &["line", "error"], |_| {});
    assert!(prepared.run_with(&["--keep-log"], &[]).status.success());
    let outcome = prepared.outcome("runs/run-1/outcome");
    assert_eq!((outcome.log, &*outcome.stdout.0), (None, b"line".as_slice()));
    assert!(!prepared.directory.path().join("runs/run-1/attempts").exists());
}

#[test]
fn key_file_seals_the_outcome() {
    let prepared = Prepared::new("greet", &["you"], |_| {});
    let (path, key) = (prepared.directory.path().join("key"), RunKey::new([7; 32]));
    std::fs::write(&path, format!("{}\n", key.reveal())).unwrap();
    let ended = prepared.run_with(&["--key-file", path.to_str().unwrap()], &[]);
    assert!(ended.status.success(), "{ended:?}");
    let sealed = std::fs::read(prepared.directory.path().join("runs/run-1/outcome")).unwrap();
    assert!(Outcome::from_bytes(&sealed).is_err());
    let (outcome, origin) = unseal(sealed, Some(&key)).unwrap();
    assert_eq!(origin, Authenticity::Verified);
    assert!(matches!(Outcome::from_bytes(&outcome).unwrap().end, End::Value(_)));
}

#[test]
fn invalid_key_file_is_rejected() {
    let prepared = Prepared::new("greet", &["you"], |_| {});
    let path = prepared.directory.path().join("key");
    let refused = || {
        let ended = hype_run(&["run", &prepared.url(), "--key-file", path.to_str().unwrap()], &[]);
        assert_eq!(ended.status.code(), Some(2));
        String::from_utf8(ended.stderr).unwrap()
    };
    let message = refused();
    assert!(message.contains(&format!("cannot read the key file {}: No such", path.display())));
    std::fs::write(&path, "0123").unwrap();
    let message = refused();
    assert!(
        message.contains("which has 64 hexadecimal digits") && !message.contains("0123"),
        "{message}"
    );
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn program() -> &'static Path {
    conformance::hype_run()
}

fn hype_run(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(program()).args(arguments).env_clear().envs(env.iter().copied()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn value(outcome: &Outcome) -> String {
    match &outcome.end {
        End::Value(Payload::Inline(bytes)) => codec::from_slice(bytes).unwrap(),
        end => panic!("no value inline: {end:?}"),
    }
}

#[test]
fn value_is_written_to_the_outcome() {
    let prepared = Prepared::new("greet", &["you"], |manifest| manifest.job.artefact = None);
    let output = prepared.run();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let outcome = prepared.outcome("runs/run-1/outcome");
    assert_eq!(value(&outcome), "hello you");
    assert_eq!((outcome.run_id.as_str(), outcome.attempt), (RUN, 1));
    assert_eq!(outcome.statistics.code, Code::Compiled);
    assert!(outcome.statistics.compile_us > 0 && outcome.statistics.peak_memory > 0);
}

/// Creating and removing directories would take longer than the rest of a short call.
#[test]
fn run_without_files_creates_no_directory() {
    let prepared = Prepared::new("greet", &["you"], |_| {});
    let output = prepared.run_with(&[], &[("TMPDIR", "/no/such/directory")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(value(&prepared.outcome("runs/run-1/outcome")), "hello you");
}

#[test]
fn deeply_nested_directories_are_removed() {
    let prepared = Prepared::new("nest", &[], |manifest| {
        manifest.call.arguments = Payload::Inline(codec::to_vec(&("/tmp", 900)).unwrap().into());
    });
    let around = tempfile::tempdir().unwrap();
    let output = prepared.run_with(&[], &[("TMPDIR", around.path().to_str().unwrap())]);
    assert!(output.status.success(), "{}", stderr(&output));
    let end = prepared.outcome("runs/run-1/outcome").end;
    assert!(matches!(end, End::Value(_)), "{end:?}");
    assert_eq!(around.path().read_dir().unwrap().count(), 0);
}

#[test]
fn failure_is_written_as_outcome() {
    let prepared = Prepared::new("panic", &["too hot"], |_| {});
    let output = prepared.run();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    match prepared.outcome("runs/run-1/outcome").end {
        End::Failure(failure) => assert_eq!(failure.kind, FailureKind::Panic),
        End::Value(_) => panic!("a value"),
    }
}

#[test]
fn output_is_forwarded_and_its_tail_is_kept() {
    let prepared = Prepared::new("say", &["out\n", "err\n"], |_| {});
    let output = prepared.run();
    assert_eq!(output.stdout, b"out\n");
    assert_eq!(stderr(&output), "err\n");
    let outcome = prepared.outcome("runs/run-1/outcome");
    assert_eq!((&outcome.stdout[..], &outcome.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
}

#[test]
fn termination_line_has_the_digest_of_the_outcome() {
    let prepared = Prepared::new("greet", &["you"], |_| {});
    let log = prepared.directory.path().join("termination-log");
    let ended = prepared.run_with(&["--termination-log", log.to_str().unwrap()], &[]);
    assert_eq!(ended.status.code(), Some(0));
    let line: TerminationLine = std::fs::read_to_string(log).unwrap().parse().unwrap();
    let bytes = std::fs::read(prepared.directory.path().join("runs/run-1/outcome")).unwrap();
    assert_eq!(line.digest, Digest::of(&bytes));
    assert!(line.outcome.ends_with("/runs/run-1/outcome"), "{line}");
}

#[test]
fn first_outcome_is_never_overwritten() {
    let prepared = Prepared::new("variables", &[], |_| {});
    prepared.run_with(&[], &[("HYPE_ATTEMPT", "2")]);
    let first = std::fs::read(prepared.directory.path().join("runs/run-1/outcome")).unwrap();
    let output = prepared.run_with(&[], &[("HYPE_ATTEMPT", "3")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let second = std::fs::read(prepared.directory.path().join("runs/run-1/outcome")).unwrap();
    assert!(first == second, "the outcome changed");
    assert_eq!(prepared.outcome("runs/run-1/outcome").attempt, 2);
}

#[test]
fn sigterm_writes_interrupted_outcome() {
    let signal = tempfile::tempdir().unwrap();
    let prepared = Prepared::waiting(signal.path());
    let mut running =
        Command::new(program()).args(prepared.arguments()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(running.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "waiting\n");
    let sent = Command::new("kill").args(["-TERM", &running.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(running.wait().unwrap().code(), Some(0));
    match prepared.outcome("runs/run-1/attempts/1/outcome").end {
        End::Failure(failure) => {
            assert_eq!(failure.kind, FailureKind::Interrupted);
            assert_eq!(failure.message, "the runner was stopped from outside");
        }
        End::Value(_) => panic!("a value"),
    }
}

#[test]
fn manifest_with_other_digest_is_rejected() {
    let prepared = Prepared::new("greet", &["you"], |_| {});
    let foreign = Digest::of(b"another manifest").to_string();
    let output = hype_run(&["run", &prepared.url(), "--digest", &foreign], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    match prepared.outcome("runs/run-1/attempts/1/outcome").end {
        End::Failure(failure) => {
            assert_eq!(failure.kind, FailureKind::Infrastructure);
            assert!(failure.message.starts_with("the run manifest: "), "{failure:?}");
            assert!(failure.message.contains("was altered"), "{failure:?}");
        }
        End::Value(_) => panic!("a value"),
    }
}

#[test]
fn newer_manifest_error_names_the_upgrade() {
    let prepared = Prepared::new("greet", &["you"], |manifest| {
        manifest.format = 9;
        manifest.hype = "7.1.0".into();
    });
    assert_eq!(prepared.run().status.code(), Some(0));
    match prepared.outcome("runs/run-1/outcome").end {
        End::Failure(failure) => {
            assert_eq!(failure.kind, FailureKind::Incompatible);
            assert!(failure.message.contains("spotify/hype:7.1.0"), "{failure:?}");
        }
        End::Value(_) => panic!("a value"),
    }
}

#[test]
fn component_without_hype_export_is_incompatible() {
    // A component without imports and exports.
    let empty = Bytes::from_static(b"\0asm\x0d\0\x01\0");
    let blob = Blob::of(&empty);
    let prepared = Prepared::new("greet", &["you"], |manifest| {
        manifest.job.component.blob = blob;
        manifest.job.artefact = None;
    });
    let stage = Stage::in_directory(prepared.directory.path()).unwrap();
    wait(stage.put(&names::blob(&blob.digest), empty)).unwrap();
    assert_eq!(prepared.run().status.code(), Some(0));
    match prepared.outcome("runs/run-1/outcome").end {
        End::Failure(failure) => {
            assert_eq!(failure.kind, FailureKind::Incompatible);
            let problem = "component test-guests.wasm doesn't export spotify:hype/closure@0.1.0";
            assert_eq!(failure.message, problem);
        }
        End::Value(_) => panic!("a value"),
    }
}

#[test]
fn unreachable_stage_exits_with_3() {
    let output = hype_run(&["run", "file:///no/such/stage/runs/run-1/manifest"], &[]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        stderr(&output).lines().take(3).collect::<Vec<_>>(),
        [
            "error: no outcome of run run-1 could be written",
            "Caused by:",
            "   0: cannot use the directory /no/such/stage as a stage"
        ]
    );
}

#[test]
fn wrong_usage_prints_usage() {
    for (arguments, problem) in [
        (&[][..], "the role is missing: run or items"),
        (&["serve", "a"][..], "`serve` is no role of hype-run; there are: run, items"),
        (&["run"][..], "the manifest's URL is missing"),
        (&["run", "a", "b"][..], "unexpected argument \"b\""),
        (&["run", "--digest", "c0ffee", "a"][..], "`c0ffee` is not a BLAKE3 digest"),
        (&["run", "--termination-log", "/no/such/log", "a"][..], "cannot open the termination log"),
    ] {
        let output = hype_run(arguments, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(problem), "{}", stderr(&output));
        assert!(stderr(&output).contains("usage: hype-run run MANIFEST_URL"));
    }
    let output = hype_run(&["run", "file:///stage/manifest"], &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("is not the URL of a manifest"), "{}", stderr(&output));
}
