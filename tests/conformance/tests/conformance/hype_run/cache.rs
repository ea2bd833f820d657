//! `HYPE_CACHE`: saves fetches, and can neither change nor fail a run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hype_run::{CodeKind, Platform, Target, precompile};
use hype_stage::Stage;
use hype_wire::{Artefact, Blob, Code, File as StagedFile, Outcome, names};

use super::{Prepared, program, stderr, value, wait};
use conformance::cases::values::component;

const TEXT: &str = "what the file says\n";

/// A run with precompiled machine code, whose function returns the content of a staged file.
struct Reading {
    prepared: Prepared,
    /// Machine code and file: the blobs that the run needs.
    blobs: [Blob; 2],
}

impl Reading {
    fn new() -> Self {
        let (code, text) = (machine_code(), Bytes::from_static(TEXT.as_bytes()));
        let blobs = [Blob::of(&code), Blob::of(&text)];
        let prepared = Prepared::new("read_surely", &["/data/file"], |manifest| {
            let platform = here().to_string();
            manifest.job.artefact = Some(Artefact { platform, blob: blobs[0] });
            manifest.job.files =
                vec![StagedFile { path: "/data/file".parse().unwrap(), blob: blobs[1] }];
        });
        let stage = Stage::in_directory(prepared.directory.path()).unwrap();
        for (blob, bytes) in blobs.iter().zip([code, text]) {
            wait(stage.put(&names::blob(&blob.digest), bytes)).unwrap();
        }
        Self { prepared, blobs }
    }

    /// Returns how many bytes a run without a cache fetches.
    fn size(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }

    /// Builds the command that executes the run.
    fn command(&self, program: &Path, cache: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .arg("run")
            .arg(self.prepared.url())
            .args(["--digest", &self.prepared.digest.to_string()]);
        command.env_clear().env("HYPE_CACHE", cache);
        command
    }

    /// Checks the value and returns how many bytes were fetched. Removes the outcome, so that the run can be executed
    /// again.
    #[track_caller]
    fn fetched(&self, output: &Output) -> u64 {
        assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
        let name = "runs/run-1/outcome";
        let outcome: Outcome = self.prepared.outcome(name);
        fs::remove_file(self.prepared.directory.path().join(name)).unwrap();
        assert_eq!(value(&outcome), TEXT);
        assert_eq!(outcome.statistics.code, Code::Precompiled, "{:?}", outcome.statistics);
        outcome.statistics.fetched
    }

    /// Executes the run and returns how many bytes it fetched.
    #[track_caller]
    fn run(&self, cache: &Path) -> u64 {
        self.fetched(&self.command(program(), cache).output().unwrap())
    }

    fn remove_blobs_from_stage(&self) {
        fs::remove_dir_all(self.prepared.directory.path().join(names::BLOBS)).unwrap();
    }
}

/// Returns the target of the machine code that a process of one call loads.
pub(super) fn here() -> Target {
    let platform = Platform::here().expect("tests run where machine code can be made for");
    Target { platform, kind: CodeKind::Unchecked }
}

/// Returns the guests' machine code, compiled once since that takes seconds.
pub(super) fn machine_code() -> Bytes {
    static CODE: OnceLock<Bytes> = OnceLock::new();
    let make = || {
        conformance::build_guests();
        precompile(&fs::read(component("test-guests")).unwrap(), here()).unwrap().into()
    };
    CODE.get_or_init(make).clone()
}

fn path_of(cache: &Path, blob: &Blob) -> PathBuf {
    cache.join(format!("{}.hype-blob", blob.digest))
}

fn size_of(cache: &Path) -> u64 {
    fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn second_run_fetches_only_its_manifest() {
    let around = tempfile::tempdir().unwrap();
    let cache = around.path().join("made/when/needed");
    let first = Reading::new();
    assert_eq!(first.run(&cache), first.size());
    assert_eq!(size_of(&cache), first.size());
    // The second run is in another stage.
    let second = Reading::new();
    second.remove_blobs_from_stage();
    assert_eq!(second.run(&cache), 0);
}

#[test]
fn run_without_cache_keeps_nothing() {
    let run = Reading::new();
    assert_eq!(run.run(Path::new("")), run.size());
    assert_eq!(run.run(Path::new("")), run.size());
}

#[test]
fn corrupt_cache_entry_is_replaced() {
    let (run, cache) = (Reading::new(), tempfile::tempdir().unwrap());
    run.run(cache.path());
    for blob in &run.blobs {
        let path = path_of(cache.path(), blob);
        let right = fs::read(&path).unwrap();
        let mut forged = right.clone();
        forged[right.len() / 2] ^= 1;
        for bytes in [&forged[..], &right[..right.len() / 2], b""] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(run.run(cache.path()), blob.size);
            assert!(fs::read(&path).unwrap() == right, "it wasn't replaced");
        }
    }
    run.remove_blobs_from_stage();
    assert_eq!(run.run(cache.path()), 0);
}

/// Drops root's capability to write to any directory.
#[cfg(target_os = "linux")]
#[test]
fn read_only_cache_is_read_and_fails_no_run() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let (run, cache) = (Reading::new(), tempfile::tempdir().unwrap());
    run.run(cache.path());
    let [code, text] = run.blobs;
    fs::remove_file(path_of(cache.path(), &text)).unwrap();
    fs::set_permissions(cache.path(), PermissionsExt::from_mode(0o555)).unwrap();
    let mut command = run.command(program(), cache.path());
    if cache.path().metadata().unwrap().uid() == 0 {
        let direct = command;
        command = Command::new("setpriv");
        command.arg("--bounding-set=-dac_override,-dac_read_search").arg(direct.get_program());
        command.args(direct.get_args()).env_clear().env("HYPE_CACHE", cache.path());
    }
    let output = command.output().unwrap();
    let left = size_of(cache.path());
    fs::set_permissions(cache.path(), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(run.fetched(&output), text.size);
    assert_eq!(left, code.size);
}

#[test]
fn invalid_cache_directory_fails_no_run() {
    let (run, file) = (Reading::new(), tempfile::NamedTempFile::new().unwrap());
    let below = file.path().join("cache");
    // Even root can't create files in /proc.
    for path in [file.path(), &below, Path::new("/proc")] {
        assert_eq!(run.run(path), run.size());
    }
    assert!(fs::read(file.path()).unwrap().is_empty());
}

#[test]
fn processes_share_a_cache() {
    let (runs, cache) = ([(); 6].map(|()| Reading::new()), tempfile::tempdir().unwrap());
    let start = |run: &Reading| {
        let mut command = run.command(program(), cache.path());
        command.stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = runs.iter().map(start).collect();
    for (run, running) in runs.iter().zip(running) {
        run.fetched(&running.wait_with_output().unwrap());
    }
    // No partial file remains, and every file is complete.
    assert_eq!(size_of(cache.path()), runs[0].size());
    runs[0].remove_blobs_from_stage();
    assert_eq!(runs[0].run(cache.path()), 0);
}

#[test]
fn cache_evicts_oldest_entries_beyond_its_bound() {
    let (run, cache) = (Reading::new(), tempfile::tempdir().unwrap());
    let sparse = |name: &str, hours: u64| {
        let path = path_of(cache.path(), &Blob::of(name.as_bytes()));
        let file = File::create(&path).unwrap();
        file.set_len(1 << 30).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600 * hours)).unwrap();
        path
    };
    let [young, oldest, old, newest] = [("young", 2), ("oldest", 4), ("old", 3), ("newest", 1)]
        .map(|(name, age)| sparse(name, age));
    assert_eq!(run.run(cache.path()), run.size());
    assert!(!oldest.exists() && old.exists() && young.exists() && newest.exists());
    assert!(size_of(cache.path()) <= 4 << 30);
    assert_eq!(run.run(cache.path()), 0);
}
