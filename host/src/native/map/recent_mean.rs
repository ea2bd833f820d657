//! The mean of a number that changes, in which the last values count most.

/// The weight of the last value, as its reciprocal.
const WEIGHT: f64 = 4.0;

/// The mean of recent values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RecentMean(Option<f64>);

impl RecentMean {
    pub(crate) fn record(&mut self, value: f64) {
        self.0 = Some(self.0.map_or(value, |mean| mean + (value - mean) / WEIGHT));
    }

    /// Returns the mean; `None` before the first value.
    pub(crate) fn get(&self) -> Option<f64> {
        self.0
    }
}
