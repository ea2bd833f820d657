//! Two things in turn, so that whatever else the machine does is felt by both.

use std::time::Duration;

/// How long something took, each time.
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Self(seconds)
    }

    /// The median, in seconds.
    pub(crate) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// The shortest, in seconds.
    pub(crate) fn least(&self) -> f64 {
        self.0[0]
    }
}

/// Takes the time of each in turn, `rounds` times, after a few that don't count.
pub(crate) fn alternate(
    rounds: usize,
    mut one: impl FnMut() -> anyhow::Result<Duration>,
    mut other: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<(Times, Times)> {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    let warm_up = rounds.div_ceil(10);
    for round in 0..warm_up + rounds {
        let (first, second) = (one()?.as_secs_f64(), other()?.as_secs_f64());
        if round >= warm_up {
            ones.push(first);
            others.push(second);
        }
    }
    Ok((Times::of(ones), Times::of(others)))
}
