//! Random numbers that derive from a seed, the same on every machine and in every version.

use rand_core::{Infallible, TryRng};
use wasmtime_wasi::WasiCtxBuilder;

/// The key derivation contexts of BLAKE3, one for each sequence of random numbers.
const SECURE: &str = "hype 2026-11 deterministic wasi:random/random";
const INSECURE: &str = "hype 2026-11 deterministic wasi:random/insecure";
const INSECURE_SEED: &str = "hype 2026-11 deterministic wasi:random/insecure-seed";

/// Sets the random numbers of `wasi` for `seed`.
pub(super) fn apply(wasi: &mut WasiCtxBuilder, seed: u64) {
    let mut insecure_seed = [0; 16];
    Seeded::new(INSECURE_SEED, seed).0.fill(&mut insecure_seed);
    wasi.secure_random(Seeded::new(SECURE, seed))
        .insecure_random(Seeded::new(INSECURE, seed))
        .insecure_random_seed(u128::from_le_bytes(insecure_seed));
}

/// A random number generator that returns the extended output of BLAKE3.
struct Seeded(blake3::OutputReader);

impl Seeded {
    fn new(purpose: &str, seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(purpose);
        hasher.update(&seed.to_le_bytes());
        Self(hasher.finalize_xof())
    }

    fn next<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.next()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.next()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected numbers must never change: they determine the values of functions.
    #[test]
    fn seed_and_purpose_determine_the_random_numbers() {
        let first = |purpose, seed| Seeded::new(purpose, seed).try_next_u64().unwrap();
        assert_eq!(first(SECURE, 7), 13_819_374_595_194_557_224);
        assert_ne!(first(SECURE, 7), first(SECURE, 8));
        assert_ne!(first(SECURE, 7), first(INSECURE, 7));
        let mut piecewise = Seeded::new(SECURE, 7);
        let mut whole = [0; 12];
        Seeded::new(SECURE, 7).try_fill_bytes(&mut whole).unwrap();
        assert_eq!(piecewise.try_next_u64().unwrap().to_le_bytes(), whole[..8]);
        assert_eq!(piecewise.try_next_u32().unwrap().to_le_bytes(), whole[8..]);
    }
}
