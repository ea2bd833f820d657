//! Machine code is used only if a vouched-for manifest names it by the very bytes that are loaded, and
//! if this machine and this version can run it; else it is done without, or the run refused.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use hostile::shape::runtime;
use hostile::staged::told;
use hostile::{Guest, Staged};
use hype_run::{Executor, Output, Platform, precompile};
use hype_wire::{Artefact, Blob, Code, End, Failure, FailureKind, Outcome, Payload, names};

/// A run of a good guest whose artefact for `platform` has these bytes.
async fn staged(platform: &str, bytes: &[u8]) -> Staged {
    let mut staged = Staged::new(&Guest::GOOD.component()).await;
    let blob = staged.put(bytes).await;
    staged.manifest.job.artefact = Some(Artefact { platform: platform.to_owned(), blob });
    staged
}

/// The run on an executor of its own, since one that has the component needs no artefact.
async fn run(staged: &Staged) -> Outcome {
    staged.run(&Executor::new()).await
}

fn machine_code(platform: Platform) -> Vec<u8> {
    precompile(&Guest::GOOD.component(), platform).unwrap()
}

fn here() -> Platform {
    Platform::here().expect("tests run where machine code can be made for")
}

#[track_caller]
fn assert_compiled(outcome: &Outcome, why: &str) {
    assert_value(outcome);
    let statistics = &outcome.statistics;
    assert_eq!(statistics.code, Code::Compiled);
    let told = statistics.why_compiled.as_deref().unwrap_or_default();
    assert!(told.contains(why), "{told}");
}

#[track_caller]
fn assert_value(outcome: &Outcome) {
    let end = &outcome.end;
    assert!(matches!(end, End::Value(Payload::Inline(bytes)) if bytes[..] == [0xc0]), "{end:?}");
}

#[track_caller]
fn assert_refused(outcome: Outcome) -> Failure {
    let End::Failure(failure) = outcome.end else { panic!("{:?}", outcome.end) };
    assert_eq!(failure.kind, FailureKind::Infrastructure, "{failure:?}");
    let words = "the machine code of component hostile.wasm";
    assert!(failure.message.starts_with(words), "{failure:?}");
    failure
}

#[test]
fn one_of_this_machine_is_loaded() {
    let outcome = runtime()
        .block_on(async { run(&staged(here().name(), &machine_code(here())).await).await });
    assert_value(&outcome);
    assert_eq!(outcome.statistics.code, Code::Precompiled);
    assert_eq!(outcome.statistics.why_compiled, None);
}

#[test]
fn one_that_nobody_vouches_for_is_not_loaded() {
    let outcome = runtime().block_on(async {
        let staged = staged(here().name(), &machine_code(here())).await;
        staged.run_with(&Executor::new(), Output::new(|_, _| {}), false).await
    });
    assert_compiled(&outcome, "nobody vouches for the manifest");
}

#[test]
fn a_forged_one_in_the_stage_is_refused() {
    let failure = runtime().block_on(async {
        let code = machine_code(here());
        let staged = staged(here().name(), &code).await;
        // It would run, if it were loaded: it is that of another guest.
        let forged = precompile(&Guest::calling("unreachable").component(), here()).unwrap();
        let path = staged.directory.path().join(names::blob(&Blob::of(&code).digest));
        std::fs::write(path, forged).unwrap();
        assert_refused(run(&staged).await)
    });
    assert!(told(&failure).contains("was altered"), "{failure:?}");
}

#[test]
fn one_that_is_gone_is_done_without() {
    let outcome = runtime().block_on(async {
        let code = machine_code(here());
        let staged = staged(here().name(), &code).await;
        let path = staged.directory.path().join(names::blob(&Blob::of(&code).digest));
        std::fs::remove_file(path).unwrap();
        run(&staged).await
    });
    assert_compiled(&outcome, "is not there");
}

/// wasmtime writes its version, the first number of it, before what it was told of the machine. Those
/// of one number load each other's code, as wasmtime promises.
#[test]
fn one_of_another_version_is_done_without() {
    let mut code = machine_code(here());
    let version = b"\x0248";
    let at = code.windows(version.len()).position(|bytes| bytes == version).expect("a version");
    code[at + 1..at + 3].copy_from_slice(b"47");
    let outcome = runtime().block_on(async { run(&staged(here().name(), &code).await).await });
    assert_compiled(&outcome, "version");
}

#[test]
fn what_is_no_machine_code_is_done_without() {
    let code = machine_code(here());
    for bytes in [&b"#!/bin/sh"[..], &code[..code.len() / 2], &Guest::GOOD.component()] {
        let outcome = runtime().block_on(async { run(&staged(here().name(), bytes).await).await });
        assert_compiled(&outcome, "");
        assert!(outcome.statistics.why_compiled.is_some());
    }
}

#[test]
fn one_of_an_unknown_platform_is_done_without() {
    let code = machine_code(here());
    let outcome = runtime().block_on(async { run(&staged("x86_64-v9", &code).await).await });
    assert_compiled(&outcome, "there is no platform `x86_64-v9`");
}

#[test]
fn one_of_a_lesser_level_is_loaded_and_one_of_another_architecture_is_not() {
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
            let why = format!("it is for {platform}, which this machine is not");
            assert_compiled(&outcome, &why);
        }
    }
    assert!(loaded > 0);
}

/// The manifest may say another platform than the code was made for: code says so itself.
#[test]
fn one_under_another_platforms_name_is_done_without() {
    let other = if here() == Platform::Aarch64 { Platform::X86_64 } else { Platform::Aarch64 };
    let code = machine_code(other);
    let outcome = runtime().block_on(async { run(&staged(here().name(), &code).await).await });
    assert_compiled(&outcome, "");
    assert!(outcome.statistics.why_compiled.is_some());
}

/// The bytes are read once: what is put there afterwards, or while they are hashed, is never seen.
#[cfg(unix)]
#[test]
fn one_that_is_swapped_all_the_time_is_never_run() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let code = machine_code(here());
    let forged = precompile(&Guest::calling("unreachable").component(), here()).unwrap();
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
    let (mut loaded, mut refused) = (0, 0);
    while loaded == 0 || refused == 0 {
        let outcome = runtime().block_on(run(&staged));
        // A first outcome of the function's own would stay, and be given instead of later ones.
        let _ = std::fs::remove_file(staged.directory.path().join(names::outcome("run-1")));
        match &outcome.end {
            End::Value(_) => {
                assert_eq!(outcome.statistics.code, Code::Precompiled);
                assert_value(&outcome);
                loaded += 1;
            }
            End::Failure(_) => {
                assert!(told(&assert_refused(outcome)).contains("was altered"));
                refused += 1;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
}
