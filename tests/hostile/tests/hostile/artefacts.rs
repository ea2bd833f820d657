//! Machine code is loaded only if a verified manifest contains its digest, and if this machine and this
//! version can run it. Otherwise the component is compiled. Altered machine code fails the run.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use hostile::attack::runtime;
use hostile::staged::failure_text;
use hostile::{Guest, Staged};
use hype_run::{Executor, GuestOutput, Platform, precompile};
use hype_wire::{Artefact, Blob, Code, End, Failure, FailureKind, Outcome, Payload, names};

/// Stages a run of a good guest whose artefact for `platform` has these bytes.
async fn staged(platform: &str, bytes: &[u8]) -> Staged {
    let mut staged = Staged::new(&Guest::GOOD.component()).await;
    let blob = staged.put(bytes).await;
    staged.manifest.job.artefact = Some(Artefact { platform: platform.to_owned(), blob });
    staged
}

/// Runs on a new executor, since an executor that has loaded the component needs no artefact.
async fn run(staged: &Staged) -> Outcome {
    staged.run(&Executor::new()).await
}

fn machine_code(platform: Platform) -> Vec<u8> {
    precompile(&Guest::GOOD.component(), platform).unwrap()
}

fn here() -> Platform {
    Platform::here().expect("this machine is a supported platform")
}

#[track_caller]
fn assert_compiled(outcome: &Outcome, why: &str) {
    assert_value(outcome);
    let statistics = &outcome.statistics;
    assert_eq!(statistics.code, Code::Compiled);
    let reason = statistics.why_compiled.as_deref().unwrap_or_default();
    assert!(reason.contains(why), "{reason}");
}

#[track_caller]
fn assert_value(outcome: &Outcome) {
    let end = &outcome.end;
    assert!(matches!(end, End::Value(Payload::Inline(bytes)) if bytes[..] == [0xc0]), "{end:?}");
}

#[track_caller]
fn assert_rejected(outcome: Outcome) -> Failure {
    let End::Failure(failure) = outcome.end else { panic!("{:?}", outcome.end) };
    assert_eq!(failure.kind, FailureKind::Infrastructure, "{failure:?}");
    let object = "the machine code of component hostile.wasm";
    assert!(failure.message.starts_with(object), "{failure:?}");
    failure
}

#[test]
fn artefact_for_this_machine_is_loaded() {
    let outcome = runtime()
        .block_on(async { run(&staged(here().name(), &machine_code(here())).await).await });
    assert_value(&outcome);
    assert_eq!(outcome.statistics.code, Code::Precompiled);
    assert_eq!(outcome.statistics.why_compiled, None);
}

#[test]
fn artefact_of_unverified_manifest_is_ignored() {
    let outcome = runtime().block_on(async {
        let staged = staged(here().name(), &machine_code(here())).await;
        staged.run_with(&Executor::new(), GuestOutput::new(|_, _| {}), false).await
    });
    assert_compiled(&outcome, "the manifest isn't verified");
}

#[test]
fn altered_artefact_fails_the_run() {
    let failure = runtime().block_on(async {
        let code = machine_code(here());
        let staged = staged(here().name(), &code).await;
        // Valid machine code of another guest.
        let forged = precompile(&Guest::with_call("unreachable").component(), here()).unwrap();
        let path = staged.directory.path().join(names::blob(&Blob::of(&code).digest));
        std::fs::write(path, forged).unwrap();
        assert_rejected(run(&staged).await)
    });
    assert!(failure_text(&failure).contains("was altered"), "{failure:?}");
}

#[test]
fn missing_artefact_is_ignored() {
    let outcome = runtime().block_on(async {
        let code = machine_code(here());
        let staged = staged(here().name(), &code).await;
        let path = staged.directory.path().join(names::blob(&Blob::of(&code).digest));
        std::fs::remove_file(path).unwrap();
        run(&staged).await
    });
    assert_compiled(&outcome, "is not there");
}

/// wasmtime writes its major version into machine code. Releases with the same major version load each
/// other's code.
#[test]
fn artefact_of_another_wasmtime_version_is_ignored() {
    let mut code = machine_code(here());
    let version = b"\x0248";
    let at = code.windows(version.len()).position(|bytes| bytes == version).expect("a version");
    code[at + 1..at + 3].copy_from_slice(b"47");
    let outcome = runtime().block_on(async { run(&staged(here().name(), &code).await).await });
    assert_compiled(&outcome, "version");
}

#[test]
fn artefact_without_machine_code_is_ignored() {
    let code = machine_code(here());
    for bytes in [&b"#!/bin/sh"[..], &code[..code.len() / 2], &Guest::GOOD.component()] {
        let outcome = runtime().block_on(async { run(&staged(here().name(), bytes).await).await });
        assert_compiled(&outcome, "");
        assert!(outcome.statistics.why_compiled.is_some());
    }
}

#[test]
fn artefact_for_unknown_platform_is_ignored() {
    let code = machine_code(here());
    let outcome = runtime().block_on(async { run(&staged("x86_64-v9", &code).await).await });
    assert_compiled(&outcome, "there is no platform `x86_64-v9`");
}

#[test]
fn artefact_is_loaded_only_on_a_supported_platform() {
    let levels = [Platform::X86_64, Platform::X86_64V3, Platform::Aarch64];
    let mut loaded = 0;
    for platform in levels {
        let code = machine_code(platform);
        let outcome =
            runtime().block_on(async { run(&staged(platform.name(), &code).await).await });
        if platform.is_here() {
            assert_value(&outcome);
            assert_eq!(outcome.statistics.code, Code::Precompiled, "{platform}: {outcome:?}");
            loaded += 1;
        } else {
            let why = format!("it was compiled for {platform}, which this machine doesn't support");
            assert_compiled(&outcome, &why);
        }
    }
    assert!(loaded > 0);
}

/// The manifest may name the wrong platform, but machine code contains its own.
#[test]
fn artefact_for_wrong_platform_is_ignored() {
    let other = if here() == Platform::Aarch64 { Platform::X86_64 } else { Platform::Aarch64 };
    let code = machine_code(other);
    let outcome = runtime().block_on(async { run(&staged(here().name(), &code).await).await });
    assert_compiled(&outcome, "");
    assert!(outcome.statistics.why_compiled.is_some());
}

/// The bytes are read once, so that a change after or during the verification has no effect.
#[cfg(unix)]
#[test]
fn artefact_that_is_swapped_constantly_is_never_run() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let code = machine_code(here());
    let forged = precompile(&Guest::with_call("unreachable").component(), here()).unwrap();
    let staged = runtime().block_on(staged(here().name(), &code));
    let path = staged.directory.path().join(names::blob(&Blob::of(&code).digest));
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = std::thread::spawn({
        let (stop, path, code) = (Arc::clone(&stop), path.clone(), code.clone());
        move || {
            while !stop.load(Ordering::Relaxed) {
                for bytes in [&forged, &code] {
                    let new = path.with_extension("new");
                    std::fs::write(&new, bytes).unwrap();
                    std::fs::rename(new, &path).unwrap();
                }
            }
        }
    });
    let (mut loaded, mut rejected) = (0, 0);
    while loaded == 0 || rejected == 0 {
        let outcome = runtime().block_on(run(&staged));
        // The first outcome of a run is permanent: without its removal, later attempts return it.
        let _ = std::fs::remove_file(staged.directory.path().join(names::outcome("run-1")));
        match &outcome.end {
            End::Value(_) => {
                assert_eq!(outcome.statistics.code, Code::Precompiled);
                assert_value(&outcome);
                loaded += 1;
            }
            End::Failure(_) => {
                assert!(failure_text(&assert_rejected(outcome)).contains("was altered"));
                rejected += 1;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
}
