//! The functions that replace those of the C library in a guest.

use insta::assert_snapshot;

use crate::hype::hype;
use crate::package::{Package, target_directory};

/// Functions that return which comparisons of short slices are wrong, and the size of a grown heap.
const LIBRARY: &str = "\
use std::hint::black_box;

#[hype::function]
pub fn wrong_comparisons() -> Vec<(usize, usize)> {
    let mut wrong = Vec::new();
    for length in 1..40 {
        let left = vec![0x80_u8; length];
        for at in 0..length {
            for byte in [0x7f, 0x80, 0x81_u8] {
                let mut right = left.clone();
                right[at] = byte;
                let (left, right) = (black_box(&left[..]), black_box(&right[..]));
                if left.cmp(right) != 0x80.cmp(&byte) || (left == right) != (byte == 0x80) {
                    wrong.push((length, at));
                }
            }
        }
    }
    wrong
}

#[hype::function]
pub fn heap() -> usize {
    let parts: Vec<String> = (0..300_000).map(|number| format!(\"{number:0100}\")).collect();
    parts.iter().map(String::len).sum()
}
";

#[test]
fn optimized_guests_compare_and_allocate_correctly() {
    let package = Package::write("optimized", LIBRARY);
    let built = hype(&["build", "--release"]).in_package(&package).redacted();
    assert_eq!(built.status, 0, "{built}");
    let component = target_directory().join("hype/optimized.wasm");
    let call = |function: &str| {
        let called = hype(&["call", component.to_str().unwrap(), function]).redacted();
        assert_eq!(called.status, 0, "{called}");
        called.stdout
    };
    assert_snapshot!(call("wrong_comparisons"), @"[]");
    assert_snapshot!(call("heap"), @"30000000");
}
