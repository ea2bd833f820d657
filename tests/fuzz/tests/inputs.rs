//! Every target on its seeds, on small changes of these, and on all that was ever found.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fuzz_targets::TARGETS;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path())
}

#[test]
fn each_seed_is_read() {
    for target in TARGETS {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            assert!((target.run)(seed), "seed {number} of {}: {seed:x?}", target.name);
        }
    }
}

#[test]
fn small_changes_of_a_seed_break_no_promise() {
    for target in TARGETS {
        for seed in (target.seeds)() {
            for place in 0..seed.len() {
                (target.run)(&seed[..place]);
                (target.run)(&seed[place..]);
                let mut changed = seed.clone();
                for byte in [seed[place] ^ 1, 0x81, 0xc1, 0xdd, 0xff] {
                    changed[place] = byte;
                    (target.run)(&changed);
                }
            }
        }
    }
}

#[test]
fn what_was_found_stays_fixed() {
    let mut runs = 0;
    for directory in files(&here("regressions")).filter(|path| path.is_dir()) {
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        let target = fuzz_targets::target(&name);
        for input in files(&directory) {
            (target.run)(&fs::read(&input).unwrap());
            runs += 1;
        }
    }
    assert!(runs > 0, "there is nothing in regressions/");
}

#[test]
fn each_target_has_a_program_for_libfuzzer() {
    let programs: BTreeSet<_> = files(&here("libfuzzer/targets"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(programs, targets);
}
