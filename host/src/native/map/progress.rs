//! The progress of a map: a span of `tracing`, and a line now and then.

use std::fmt;
use std::time::{Duration, Instant};

use tracing::Span;
use tracing::field::Empty;

use crate::map::report::recorder::Recorder;
use crate::progress::{STEP, elapsed as short};

/// The time between two records of the numbers.
const RECORD_INTERVAL: Duration = Duration::from_millis(100);

/// The time between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The display of a map that runs.
#[derive(Debug)]
pub(crate) struct Progress {
    span: Span,
    function: String,
    started: Instant,
    recorded: Instant,
    printed: Instant,
    /// The number of items of the map, if it is known.
    items: Option<u64>,
}

/// The numbers of a map's items.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The number of items that have ended, failed ones included.
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) running: u64,
}

/// The numbers of a map in one line.
pub(crate) struct Summary {
    pub(crate) counts: Counts,
    /// The number of items of the map, if it is known.
    pub(crate) items: Option<u64>,
    pub(crate) elapsed: Duration,
}

impl Progress {
    /// Begins to display the map of `function`, whose first item starts.
    pub(crate) fn start(function: &str, items: Option<u64>) -> Self {
        let span = tracing::info_span!(
            parent: None,
            "map",
            function,
            items = items.unwrap_or_default(),
            done = Empty,
            failed = Empty,
            running = Empty,
        );
        let (function, now) = (function.to_owned(), Instant::now());
        Self { span, function, started: now, recorded: now, printed: now, items }
    }

    /// Displays the numbers of the items, unless that was done a moment ago.
    pub(crate) fn update(&mut self, recorder: &Recorder) {
        let now = Instant::now();
        if now.duration_since(self.recorded) < RECORD_INTERVAL {
            return;
        }
        self.recorded = now;
        let counts = recorder.counts();
        self.span.record("done", counts.done);
        self.span.record("failed", counts.failed);
        self.span.record("running", counts.running);
        if now.duration_since(self.printed) >= LINE_INTERVAL {
            self.printed = now;
            let elapsed = now.duration_since(self.started);
            let summary = Summary { counts, items: self.items, elapsed };
            tracing::info!(target: STEP, "map of {}: {summary}", self.function);
        }
    }
}

impl fmt::Display for Summary {
    /// Writes `4/10 done, 3 failed, 2 running, 2/s, 3s left`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts: Counts { done, failed, running }, items, elapsed } = self;
        let rate = *done as f64 / elapsed.as_secs_f64();
        match items {
            Some(items) => write!(f, "{done}/{items} done")?,
            None => write!(f, "{done} done")?,
        }
        write!(f, ", {failed} failed, {running} running, {rate:.0}/s")?;
        let left = items.map(|items| items.saturating_sub(*done) as f64 / rate);
        // The rate may be zero.
        match left.and_then(|seconds| Duration::try_from_secs_f64(seconds.round()).ok()) {
            Some(left) => write!(f, ", {} left", short(left)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(done: u64, items: Option<u64>) -> String {
        let counts = Counts { done, failed: 3, running: 2 };
        Summary { counts, items, elapsed: Duration::from_secs(2) }.to_string()
    }

    #[test]
    fn line_has_rate_and_time_left() {
        assert_eq!(line(4, Some(10)), "4/10 done, 3 failed, 2 running, 2/s, 3s left");
        assert_eq!(line(4, None), "4 done, 3 failed, 2 running, 2/s");
    }

    #[test]
    fn line_of_map_without_results_has_no_time_left() {
        assert_eq!(line(0, Some(10)), "0/10 done, 3 failed, 2 running, 0/s");
    }
}
