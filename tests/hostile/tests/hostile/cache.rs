//! An attacker can alter the cache. The worst effect is that a blob is fetched again.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use hostile::attack::runtime;
use hostile::{Guest, Staged};
use hype_run::{Cache, Executor, GuestOutput, Platform, precompile};
use hype_wire::{Artefact, Blob, Code, End, Outcome, Payload, names};

/// A staged run with machine code, and a cache.
struct Cached {
    staged: Staged,
    artefact: Blob,
    cache: tempfile::TempDir,
}

impl Cached {
    fn new() -> Self {
        let component = Guest::GOOD.component();
        let code = precompile(&component, here()).unwrap();
        let (staged, artefact) = runtime().block_on(async {
            let mut staged = Staged::new(&component).await;
            let blob = staged.put(&code).await;
            staged.manifest.job.artefact = Some(Artefact { platform: here().name().into(), blob });
            (staged, blob)
        });
        Self { staged, artefact, cache: tempfile::tempdir().unwrap() }
    }

    /// Runs on a new executor, like a new process.
    fn run(&self) -> Outcome {
        self.run_with(true)
    }

    fn run_with(&self, is_verified: bool) -> Outcome {
        let cache = Cache::in_directory(self.cache.path());
        let executor = Executor::new().with_cache(cache);
        let output = GuestOutput::new(|_, _| {});
        let outcome = runtime().block_on(self.staged.run_with(&executor, output, is_verified));
        // The first outcome of a run is permanent: without its removal, later attempts return it.
        let _ = std::fs::remove_file(self.staged.directory.path().join(names::outcome("run-1")));
        outcome
    }

    fn path_of(&self, blob: &Blob) -> PathBuf {
        self.cache.path().join(format!("{}.hype-blob", blob.digest))
    }

    /// Returns the paths of the files in the cache.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.cache.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn remove_from_stage(&self, blob: &Blob) {
        let path = self.staged.directory.path().join(names::blob(&blob.digest));
        std::fs::remove_file(path).unwrap();
    }
}

fn here() -> Platform {
    Platform::here().expect("this machine is a supported platform")
}

/// Returns valid machine code of another guest.
fn forged() -> Vec<u8> {
    precompile(&Guest::with_call("unreachable").component(), here()).unwrap()
}

#[track_caller]
fn assert_value(outcome: &Outcome, code: Code, fetched: u64) {
    let end = &outcome.end;
    assert!(matches!(end, End::Value(Payload::Inline(bytes)) if bytes[..] == [0xc0]), "{end:?}");
    let statistics = &outcome.statistics;
    assert_eq!((statistics.code, statistics.fetched), (code, fetched), "{statistics:?}");
}

#[test]
fn machine_code_is_fetched_once() {
    let cached = Cached::new();
    assert_value(&cached.run(), Code::Precompiled, cached.artefact.size);
    cached.remove_from_stage(&cached.artefact);
    assert_value(&cached.run(), Code::Precompiled, 0);
}

#[test]
fn forged_machine_code_is_replaced() {
    let cached = Cached::new();
    let path = cached.path_of(&cached.artefact);
    let mut same_size = forged();
    same_size.resize(usize::try_from(cached.artefact.size).unwrap(), 0);
    for bytes in [forged(), same_size, Vec::new()] {
        std::fs::write(&path, bytes).unwrap();
        assert_value(&cached.run(), Code::Precompiled, cached.artefact.size);
        assert_eq!(Blob::of(&std::fs::read(&path).unwrap()), cached.artefact);
    }
}

/// The cached bytes match the digest in the manifest, but an attacker may have written the manifest.
#[test]
fn machine_code_of_unverified_manifest_is_not_loaded() {
    let cached = Cached::new();
    assert_value(&cached.run(), Code::Precompiled, cached.artefact.size);
    let outcome = cached.run_with(false);
    assert_value(&outcome, Code::Compiled, cached.staged.manifest.job.component.blob.size);
    let why = outcome.statistics.why_compiled.unwrap();
    assert!(why.contains("the manifest isn't verified"), "{why}");
}

#[test]
fn forged_component_is_replaced() {
    let mut cached = Cached::new();
    cached.staged.manifest.job.artefact = None;
    let blob = cached.staged.manifest.job.component.blob;
    let mut altered = Guest::GOOD.component();
    *altered.last_mut().unwrap() ^= 1;
    for bytes in [Guest::with_call("unreachable").component(), altered] {
        std::fs::write(cached.path_of(&blob), bytes).unwrap();
        assert_value(&cached.run(), Code::Compiled, blob.size);
    }
    cached.remove_from_stage(&blob);
    assert_value(&cached.run(), Code::Compiled, 0);
}

/// No manifest contains the digest of machine code that a runner compiled.
#[test]
fn machine_code_of_a_runner_is_not_cached() {
    let mut cached = Cached::new();
    cached.staged.manifest.job.artefact = None;
    let blob = cached.staged.manifest.job.component.blob;
    assert_value(&cached.run(), Code::Compiled, blob.size);
    assert_eq!(cached.files(), [cached.path_of(&blob)]);
}

/// The bytes are read once, so that a change after or during the read has no effect. The test replaces
/// the file by a rename, and overwrites it in place.
#[cfg(unix)]
#[test]
fn machine_code_that_is_swapped_constantly_is_never_run() {
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let cached = Cached::new();
    let code = precompile(&Guest::GOOD.component(), here()).unwrap();
    let mut forged = forged();
    forged.resize(code.len(), 0);
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = std::thread::spawn({
        let (stop, path) = (Arc::clone(&stop), cached.path_of(&cached.artefact));
        let new = cached.cache.path().join("new");
        move || {
            while !stop.load(Ordering::Relaxed) {
                for bytes in [&forged, &code] {
                    std::fs::write(&new, bytes).unwrap();
                    std::fs::rename(&new, &path).unwrap();
                }
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                for bytes in [&forged, &code] {
                    file.write_all_at(bytes, 0).unwrap();
                }
            }
        }
    });
    let (mut from_cache, mut from_stage) = (0, 0);
    while from_cache < 20 || from_stage < 20 {
        let outcome = cached.run();
        assert_value(&outcome, Code::Precompiled, outcome.statistics.fetched);
        match outcome.statistics.fetched {
            0 => from_cache += 1,
            _ => from_stage += 1,
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
}
