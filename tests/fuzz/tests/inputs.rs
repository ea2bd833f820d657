//! Runs every target on its seeds, on mutations of them, and on the inputs of fixed bugs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fuzz_targets::TARGETS;

fn in_package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path())
}

#[test]
fn seeds_are_valid() {
    for target in TARGETS {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            assert!((target.run)(seed), "seed {number} of {}: {seed:x?}", target.name);
        }
    }
}

#[test]
fn mutated_seeds_keep_the_invariants() {
    for target in TARGETS {
        for seed in (target.seeds)() {
            for index in 0..seed.len() {
                (target.run)(&seed[..index]);
                (target.run)(&seed[index..]);
                let mut mutated = seed.clone();
                for byte in [seed[index] ^ 1, 0x81, 0xc1, 0xdd, 0xff] {
                    mutated[index] = byte;
                    (target.run)(&mutated);
                }
            }
        }
    }
}

#[test]
fn regressions_keep_the_invariants() {
    let mut runs = 0;
    for directory in files(&in_package("regressions")).filter(|path| path.is_dir()) {
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        let target = fuzz_targets::target(&name);
        for input in files(&directory) {
            (target.run)(&fs::read(&input).unwrap());
            runs += 1;
        }
    }
    assert!(runs > 0, "regressions/ is empty");
}

#[test]
fn each_target_has_a_libfuzzer_program() {
    let programs: BTreeSet<_> = files(&in_package("libfuzzer/targets"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(programs, targets);
}
