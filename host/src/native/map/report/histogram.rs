//! Histograms of durations and sizes, with a bounded number of buckets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The number of leading bits that the values of a bucket share, so that a bucket is at most an eighth of its values
/// wide.
const BITS: u32 = 4;

/// A histogram of numbers. It has at most 500 buckets, whatever the numbers.
///
/// ```
/// let mut times = hype::map::Histogram::default();
/// for time in [3, 5, 1000] {
///     times.record(time);
/// }
/// assert_eq!((times.count(), times.sum(), times.max()), (3, 1008, 1000));
/// assert_eq!(times.quantile(0.5), 5);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
    /// The number of values in each bucket, by the bucket's smallest value.
    buckets: BTreeMap<u64, u64>,
}

impl Histogram {
    /// Adds a number.
    pub fn record(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        *self.buckets.entry(smallest(value)).or_default() += 1;
    }

    /// Returns the number of recorded numbers.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the sum of the recorded numbers.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Returns the smallest recorded number, or 0 if there is none.
    pub fn min(&self) -> u64 {
        self.min
    }

    /// Returns the largest recorded number, or 0 if there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Returns the number that the part `quantile` of all numbers doesn't exceed, between 0 and 1: 0.5 for the median. It
    /// is up to an eighth too large.
    pub fn quantile(&self, quantile: f64) -> u64 {
        let rank = (quantile * self.count as f64).ceil().max(1.0) as u64;
        let mut counted = 0;
        for (smallest, count) in &self.buckets {
            counted += count;
            if counted >= rank {
                return largest(*smallest).min(self.max);
            }
        }
        self.max
    }
}

/// Returns the width of the bucket of `value` as a number of bits.
fn width(value: u64) -> u32 {
    (u64::BITS - value.leading_zeros()).saturating_sub(BITS)
}

/// Returns the smallest value in the bucket of `value`.
fn smallest(value: u64) -> u64 {
    value >> width(value) << width(value)
}

/// Returns the largest value in the bucket of `value`.
fn largest(value: u64) -> u64 {
    smallest(value) + ((1 << width(value)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_have_buckets_of_their_own() {
        for value in 0..16 {
            assert_eq!((smallest(value), largest(value)), (value, value));
        }
        assert_eq!((smallest(17), largest(17)), (16, 17));
        assert_eq!((smallest(1000), largest(1000)), (960, 1023));
        assert_eq!(largest(u64::MAX), u64::MAX);
    }

    #[test]
    fn number_of_buckets_is_bounded() {
        let mut histogram = Histogram::default();
        let mut value = 1_u64;
        for _ in 0..100_000 {
            histogram.record(value);
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) >> (value % 60);
        }
        assert_eq!(histogram.count(), 100_000);
        assert!(histogram.buckets.len() <= 500, "{}", histogram.buckets.len());
    }

    #[test]
    fn quantiles_are_at_most_an_eighth_too_large() {
        let mut histogram = Histogram::default();
        (1..=10_000).for_each(|value| histogram.record(value));
        for quantile in [0.01, 0.5, 0.9, 0.99] {
            let exact = quantile * 10_000.0;
            let found = histogram.quantile(quantile) as f64;
            assert!((exact..=exact * 1.125).contains(&found), "{quantile}: {found}");
        }
        assert_eq!(histogram.quantile(1.0), 10_000);
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }
}
