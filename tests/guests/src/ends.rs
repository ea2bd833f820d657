//! Closures that end without a value, in every possible way.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

/// An error with two causes beneath it.
#[derive(Debug)]
pub struct Misfortune;

impl fmt::Display for Misfortune {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot bake")
    }
}

impl std::error::Error for Misfortune {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&NoFlour)
    }
}

#[derive(Debug)]
struct NoFlour;

impl fmt::Display for NoFlour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no flour")
    }
}

impl std::error::Error for NoFlour {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&fmt::Error)
    }
}

/// Succeeds or fails.
#[hype::function]
pub fn bake(well: bool) -> Result<String, Misfortune> {
    if well { Ok("bread".to_owned()) } else { Err(Misfortune) }
}

/// Fails with anyhow.
#[hype::function]
pub fn bake_anyhow() -> anyhow::Result<()> {
    use anyhow::Context;
    Err(Misfortune).context("no breakfast")
}

/// Fails with an error of the file system.
#[hype::function]
pub fn read_missing() -> io::Result<String> {
    std::fs::read_to_string("/tmp/missing")
}

/// Panics in another function.
#[hype::function]
pub fn panic(message: String) -> u32 {
    panic_with(&message)
}

#[inline(never)]
fn panic_with(message: &str) -> u32 {
    assert!(message.is_empty(), "{message}");
    0
}

/// Panics in the standard library.
#[hype::function]
pub fn unwrap_none() -> u32 {
    let nothing: Option<u32> = None;
    #[expect(clippy::unwrap_used, reason = "that is what it is for")]
    std::hint::black_box(nothing).unwrap()
}

/// Executes an `unreachable` instruction.
#[hype::function]
pub fn trap() -> u32 {
    trap_inside()
}

#[cfg(target_family = "wasm")]
#[inline(never)]
fn trap_inside() -> u32 {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_family = "wasm"))]
fn trap_inside() -> u32 {
    0
}

/// Recurses until there is no stack left.
#[hype::function]
pub fn overflow() -> u64 {
    descend(1)
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn descend(depth: u64) -> u64 {
    std::hint::black_box([depth; 64]).iter().sum::<u64>() + descend(depth + 1)
}

/// Calls `exit` instead of returning.
#[hype::function]
pub fn exit(status: i32) {
    std::process::exit(status);
}

/// Takes memory until there is none left.
#[hype::function]
pub fn hoard() -> usize {
    take_all()
}

#[inline(never)]
fn take_all() -> usize {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}

/// Requests more memory than allowed, and handles the error.
#[hype::function]
pub fn make_do() -> bool {
    Vec::<u8>::new().try_reserve_exact(1 << 30).is_err()
}

/// Computes forever.
#[hype::function]
pub fn spin() -> u64 {
    spin_inside()
}

/// Prints `text` and computes forever.
#[hype::function]
pub fn say_then_spin(text: String) -> io::Result<u64> {
    writeln!(io::stdout(), "{text}")?;
    Ok(spin_inside())
}

#[inline(never)]
pub(crate) fn spin_inside() -> u64 {
    let mut count = 0u64;
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
    }
}

/// Returns `index`, unless `divisor` divides it: then it fails, panics, or takes memory until there is none left, in turn.
#[hype::function]
pub fn fail_each(divisor: u64, index: u64) -> Result<u64, Misfortune> {
    if !index.is_multiple_of(divisor) {
        return Ok(index);
    }
    match index / divisor % 3 {
        0 => Err(Misfortune),
        1 => Ok(panic_with("unlucky").into()),
        _ => Ok(take_all() as u64),
    }
}

/// Sleeps.
#[hype::function]
pub fn sleep(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}
