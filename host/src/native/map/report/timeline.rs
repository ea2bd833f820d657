//! A timeline: which worker ran which items when, with a bounded number of spans.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The maximum number of spans.
const MAX_SPANS: u64 = 20_000;

/// The maximum number of workers that have spans.
pub(super) const MAX_WORKERS: usize = 1000;

/// The first resolution of merged spans, in microseconds.
const FIRST_RESOLUTION_US: u64 = 64;

/// The spans of time in which each worker ran items.
///
/// Each item has a span until there are 20,000. Then neighbouring items of a worker share one: those that began in the
/// same period of [`resolution_us`](Self::resolution_us), which doubles as often as necessary. An item that takes longer
/// than that keeps a span of its own, and no failure is lost. Workers after the first 1,000 have no spans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timeline {
    /// The period in which the items of a shared span began, in microseconds; 0 if no spans are shared.
    pub resolution_us: u64,
    /// The spans of each worker, in the order in which they ended.
    pub workers: BTreeMap<u32, Vec<Span>>,
    /// The number of spans of all workers.
    spans: u64,
}

/// A span of time in which a worker ran one item, or several neighbouring ones. Times are in microseconds since the start
/// of the map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Span {
    /// The start of the first item.
    pub from_us: u64,
    /// The end of the last item.
    pub until_us: u64,
    /// The index of the first item, or of the first failed one.
    pub item: u64,
    /// The number of items.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub items: u64,
    /// The number of failed items.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// The time between the items in which the worker ran none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub idle_us: u64,
}

impl Timeline {
    /// Adds an item that `worker` ran.
    pub(super) fn record(&mut self, worker: u32, span: Span) {
        if self.workers.len() >= MAX_WORKERS && !self.workers.contains_key(&worker) {
            return;
        }
        let spans = self.workers.entry(worker).or_default();
        self.spans += push(spans, span, self.resolution_us);
        while self.spans > MAX_SPANS {
            self.coarsen();
        }
    }

    /// Doubles the resolution, and merges the spans that it lets merge.
    fn coarsen(&mut self) {
        self.resolution_us = self.resolution_us.saturating_mul(2).max(FIRST_RESOLUTION_US);
        self.spans = 0;
        for spans in self.workers.values_mut() {
            let mut merged = Vec::with_capacity(spans.len());
            for span in spans.drain(..) {
                self.spans += push(&mut merged, span, self.resolution_us);
            }
            *spans = merged;
        }
    }
}

/// Appends `span`, or merges it with the last one if both began in the same period and it isn't longer than a period.
/// Returns the number of added spans.
fn push(spans: &mut Vec<Span>, span: Span, resolution_us: u64) -> u64 {
    // The largest period has all moments.
    let divisor = if resolution_us == u64::MAX { 0 } else { resolution_us };
    let period = |span: &Span| span.from_us.checked_div(divisor);
    match spans.last_mut() {
        Some(last)
            if resolution_us > 0
                && period(last) == period(&span)
                && span.until_us - span.from_us <= resolution_us =>
        {
            last.merge(&span);
            0
        }
        _ => {
            spans.push(span);
            1
        }
    }
}

impl Span {
    fn merge(&mut self, next: &Self) {
        if self.failed == 0 && next.failed > 0 {
            self.item = next.item;
        }
        let between_us = next.from_us.saturating_sub(self.until_us);
        self.idle_us = self.idle_us.saturating_add(next.idle_us).saturating_add(between_us);
        self.from_us = self.from_us.min(next.from_us);
        self.until_us = self.until_us.max(next.until_us);
        self.items += next.items;
        self.failed += next.failed;
    }
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_one(number: &u64) -> bool {
    *number == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(item: u64, from_us: u64, until_us: u64, failed: u64) -> Span {
        Span { from_us, until_us, item, items: 1, failed, idle_us: 0 }
    }

    #[test]
    fn few_items_have_spans_of_their_own() {
        let mut timeline = Timeline::default();
        (0..1000).for_each(|item| timeline.record(0, span(item, item, item + 1, 0)));
        assert_eq!((timeline.resolution_us, timeline.workers[&0].len()), (0, 1000));
    }

    #[test]
    fn million_items_share_a_bounded_number_of_spans() {
        let mut timeline = Timeline::default();
        for item in 0..1_000_000 {
            let from = item / 4 * 100;
            let failed = u64::from(item % 100_000 == 7);
            timeline.record((item % 4) as u32, span(item, from, from + 90, failed));
        }
        // An item that is much longer than the period.
        timeline.record(0, span(1_000_000, 30_000_000, 40_000_000, 0));
        timeline.record(0, span(1_000_001, 40_000_000, 40_000_001, 0));
        let spans: Vec<_> = timeline.workers.values().flatten().collect();
        assert!((5_000..=20_000).contains(&spans.len()), "{}", spans.len());
        let sum = |part: fn(&Span) -> u64| spans.iter().map(|span| part(span)).sum::<u64>();
        assert_eq!((sum(|span| span.items), sum(|span| span.failed)), (1_000_002, 10));
        let busy = sum(|span| span.until_us - span.from_us - span.idle_us);
        assert_eq!(busy, 1_000_000 * 90 + 10_000_001);
        let long = spans.iter().find(|span| span.item == 1_000_000).unwrap();
        assert_eq!(long.items, 1);
    }

    #[test]
    fn shared_span_names_a_failed_item() {
        let mut spans = vec![span(1, 0, 5, 0)];
        assert_eq!(push(&mut spans, span(2, 7, 9, 1), 64), 0);
        assert_eq!(push(&mut spans, span(3, 10, 11, 1), 64), 0);
        let shared = Span { from_us: 0, until_us: 11, item: 2, items: 3, failed: 2, idle_us: 3 };
        assert_eq!(spans, [shared]);
        assert_eq!(push(&mut spans, span(4, 12, 80, 0), 64), 1, "it is longer");
        assert_eq!(push(&mut spans, span(5, 80, 81, 0), 64), 1, "it is of another period");
    }

    #[test]
    fn number_of_workers_is_bounded() {
        let mut timeline = Timeline::default();
        (0..30_000).for_each(|item| timeline.record(item, span(u64::from(item), 0, 1, 0)));
        assert_eq!(timeline.workers.len(), MAX_WORKERS);
    }
}
