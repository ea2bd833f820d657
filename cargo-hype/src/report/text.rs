//! The report of a staged map as text.

use std::time::{Duration, UNIX_EPOCH};

use bytesize::ByteSize;
use humantime::{format_duration, format_rfc3339_seconds};
use hype::map::{FailureGroup, Histogram, Report};

use crate::table::one_line;

/// Returns the report of the map `id`: a line for each subject, then the first failure of each kind.
pub(super) fn text(id: &str, report: &Report) -> String {
    let Report { function, times, sizes, needs, .. } = report;
    let mut lines = vec![format!("map        {id}"), format!("function   {}", one_line(function))];
    lines.extend(started(report).map(|started| format!("started    {started}")));
    lines.push(format!("items      {}", items(report)));
    lines.push(format!("failed     {}", report.failed));
    lines.push(format!("attempts   {}", report.attempts));
    lines.push(format!("took       {}", time(report.until_us)));
    lines.push(format!("workers    {}", report.timeline.workers.len()));
    let names = ["queue", "start", "run", "processor"];
    let histograms = [&times.queue, &times.start, &times.run, &times.cpu];
    let known = names.into_iter().zip(histograms).filter(|(_, all)| all.count() > 0);
    lines.extend(known.map(|(name, all)| format!("{name:<10} {}", spread(all, time))));
    if sizes.memory.count() > 0 {
        lines.push(format!("memory     {}", spread(&sizes.memory, size)));
    }
    let limits = [
        needs.memory_limit().map(|memory| format!("--memory {}", size(memory).replace(' ', ""))),
        needs.timeout().map(|timeout| format!("--timeout {}", format_duration(timeout))),
    ];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    if !limits.is_empty() {
        lines.push(format!("limits     {} would have sufficed", limits.join(" and ")));
    }
    lines.extend(report.failures.iter().map(failures));
    lines.join("\n")
}

/// Returns the number of items with a result, and what is known of the others.
fn items(report: &Report) -> String {
    let Some(plan) = &report.plan else { return report.items.to_string() };
    let mut items = match report.items == plan.items {
        true => format!("{}, which all have a result", plan.items),
        false => format!("{} of {} have a result", report.items, plan.items),
    };
    if !plan.is_complete {
        items.push_str("; its program has not staged all of its input");
    }
    items
}

fn started(report: &Report) -> Option<String> {
    let since_epoch = Duration::from_millis(report.started_unix_ms);
    // humantime writes years up to 9999.
    let is_written = (1..=MAX_SECONDS).contains(&since_epoch.as_secs());
    is_written.then(|| format_rfc3339_seconds(UNIX_EPOCH + since_epoch).to_string())
}

/// The last second of the year 9999, since 1970.
const MAX_SECONDS: u64 = 253_402_300_799;

/// Returns the median, the 99th percentile and the maximum of numbers.
fn spread(numbers: &Histogram, write: fn(u64) -> String) -> String {
    let (median, most) = (write(numbers.quantile(0.5)), write(numbers.quantile(0.99)));
    format!("{median} median, {most} at 99 %, {} at most", write(numbers.max()))
}

fn time(us: u64) -> String {
    match us {
        0..1000 => format!("{us} µs"),
        1000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        1_000_000..120_000_000 => format!("{:.1} s", us as f64 / 1e6),
        _ => format_duration(Duration::from_secs(us / 1_000_000)).to_string(),
    }
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

/// Returns the number of failures of a kind, and the first of them.
fn failures(group: &FailureGroup) -> String {
    let FailureGroup { kind, count, first, .. } = group;
    let first = first.first().map(|failed| {
        let lines = failed.details.lines().map(|line| format!("\n  {line}"));
        format!(", first item {}:{}", failed.item, lines.collect::<String>())
    });
    format!("\n{count} {}{}", one_line(kind), first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use hype::map::{ItemFailure, ItemRecord};

    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        report.function = "price".to_owned();
        report.started_unix_ms = 1_800_000_000_000;
        for index in 0..4 {
            let mut item = ItemRecord::new(index);
            (item.attempts, item.worker, item.until_us) = (1, Some(0), 1_500_000 * (index + 1));
            item.from_us = 250;
            let statistics =
                hype::run::Statistics { run_us: 2500, peak_memory: 3 << 20, ..Default::default() };
            item.statistics = Some(statistics);
            if index > 1 {
                let error = hype::Error::runner("cannot run the item", "no machine");
                item.failure = Some(ItemFailure::of(&error));
            }
            report.record(item);
        }
        report
    }

    #[test]
    fn summary_has_numbers_limits_and_first_failures() {
        let mut report = report();
        report.plan = serde_json::from_str("{\"items\":9,\"is_complete\":false}").unwrap();
        insta::assert_snapshot!(text("hype-run-a", &report), @r"
        map        hype-run-a
        function   price
        started    2027-01-15T08:00:00Z
        items      4 of 9 have a result; its program has not staged all of its input
        failed     2
        attempts   4
        took       6.0 s
        workers    1
        queue      250 µs median, 250 µs at 99 %, 250 µs at most
        start      0 µs median, 0 µs at 99 %, 0 µs at most
        run        2.5 ms median, 2.5 ms at 99 %, 2.5 ms at most
        memory     3.0 MiB median, 3.0 MiB at 99 %, 3.0 MiB at most
        limits     --memory 4.0MiB and --timeout 1s would have sufficed

        2 runner, first item 2:
          cannot run the item
          Caused by:
             0: no machine
        ");
        report.plan = serde_json::from_str("{\"items\":4,\"is_complete\":true}").unwrap();
        assert!(text("hype-run-a", &report).contains("items      4, which all have a result\n"));
    }

    #[test]
    fn absurd_numbers_are_written() {
        let mut report = Report::default();
        (report.started_unix_ms, report.until_us) = (u64::MAX, u64::MAX);
        assert!(text("hype-run-a", &report).contains("\ntook       "));
    }
}
