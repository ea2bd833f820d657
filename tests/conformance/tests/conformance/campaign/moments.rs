//! Pseudo-random moments from a seed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The variable that sets the seed.
const SEED: &str = "HYPE_CAMPAIGN_SEED";

/// A pseudo-random number generator (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Moments(u64);

impl Moments {
    /// Creates a generator from the seed in the variable, or else from a new seed, which is printed.
    pub(crate) fn new() -> Self {
        let seed = std::env::var(SEED).map(|seed| seed.parse().unwrap());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let seed = seed.unwrap_or_else(|_| now());
        eprintln!("{SEED}={seed}");
        Self(seed)
    }

    /// Returns the generator of one round.
    pub(crate) fn of_round(&self, round: usize) -> Self {
        Self(self.0 ^ (round as u64).wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    /// Returns a moment before `end`.
    pub(crate) fn before(&mut self, end: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        end.mul_f64((mixed >> 11) as f64 / (1_u64 << 53) as f64)
    }
}
