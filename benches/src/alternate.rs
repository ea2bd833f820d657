//! Measures two operations alternately, so that other load on the machine affects both.

use std::time::Duration;

/// The durations of the rounds of one operation, in seconds, sorted.
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn new(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Self(seconds)
    }

    /// Returns the median, in seconds.
    pub(crate) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// Returns the minimum, in seconds.
    pub(crate) fn min(&self) -> f64 {
        self.0[0]
    }
}

/// Measures both operations alternately for `rounds` rounds, after some warm-up rounds that don't count.
pub(crate) fn alternate(
    rounds: usize,
    mut first: impl FnMut() -> anyhow::Result<Duration>,
    mut second: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<(Times, Times)> {
    let (mut first_times, mut second_times) = (Vec::new(), Vec::new());
    let warm_up = rounds.div_ceil(10);
    for round in 0..warm_up + rounds {
        let seconds = (first()?.as_secs_f64(), second()?.as_secs_f64());
        if round >= warm_up {
            first_times.push(seconds.0);
            second_times.push(seconds.1);
        }
    }
    Ok((Times::new(first_times), Times::new(second_times)))
}
