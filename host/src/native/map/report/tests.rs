use std::path::Path;

use hype_wire::Statistics;

use super::recorder::{ItemTrace, Recorder};
use super::*;
use crate::error::Error;

fn item(index: u64) -> ItemRecord {
    let statistics = Statistics {
        start_us: 30,
        run_us: 500 + index,
        cpu_us: 400,
        peak_memory: 1 << 20,
        ..Statistics::default()
    };
    ItemRecord {
        worker: Some((index % 2) as u32),
        attempts: 1,
        queued_us: index * 10,
        from_us: index * 1000,
        until_us: index * 1000 + 600 + index,
        arguments: 10,
        value: 20,
        statistics: Some(statistics),
        ..ItemRecord::new(index)
    }
}

fn report(items: u64) -> Report {
    let mut report = Report { function: "price".to_owned(), ..Report::default() };
    for index in 0..items {
        let error = Error::runner("cannot run the item", "the machine is on fire");
        let failure = (index % 10 == 3).then(|| ItemFailure::of(&error));
        report.record(ItemRecord { failure, ..item(index) });
    }
    report
}

#[test]
fn report_adds_up_its_items() {
    let report = report(100);
    assert_eq!((report.items, report.failed, report.attempts), (100, 10, 100));
    assert_eq!(report.until_us, 99_699);
    assert_eq!((report.times.start.sum(), report.times.cpu.sum()), (3000, 40_000));
    assert_eq!((report.times.run.max(), report.times.upload.count()), (599, 0));
    assert_eq!((report.sizes.arguments.sum(), report.sizes.values.sum()), (1000, 1800));
    assert_eq!((report.slowest[0].item, report.slowest[0].took_us), (99, 699));
    assert_eq!((report.failures[0].kind.as_str(), report.failures[0].count), ("runner", 10));
    assert!(report.failures[0].first[0].details.contains("on fire"));
    assert_eq!(report.timeline.workers[&1].len(), 50);
}

#[test]
fn item_that_never_started_has_no_times() {
    let mut report = Report::default();
    let failure = Some(ItemFailure::of(&Error::input("it takes 2 arguments")));
    report.record(ItemRecord { failure, ..ItemRecord::new(5) });
    assert_eq!((report.items, report.failed, report.attempts), (1, 1, 0));
    assert_eq!((report.times.queue.count(), report.slowest.len()), (0, 0));
    assert!(report.timeline.workers.is_empty());
}

#[test]
fn report_survives_json() {
    let mut report = report(30);
    report.begin(7, 99, 5);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    assert_eq!(
        serde_json::from_str::<Report>(&json.replace("\"upload\"", "\"later\"")).unwrap(),
        report
    );
}

#[test]
fn million_items_need_bounded_memory() {
    let size = |items| serde_json::to_string(&report(items)).unwrap().len();
    let (some, many) = (size(50_000), size(1_000_000));
    assert!(some < 3 << 20 && many < 3 << 20, "{some} {many}");
}

#[test]
fn recorder_measures_items_and_knows_which_are_running() {
    let recorder = Recorder::default();
    recorder.renumber(|item| item + 100);
    let mut traces: Vec<_> = (0..3).map(|item| recorder.queue(item, "f", 5)).collect();
    traces.iter_mut().for_each(ItemTrace::begin_on_free_worker);
    traces[1].measure(2, Some(Statistics { run_us: 7, ..Statistics::default() }));
    traces[1].end(Ok(9));
    let report = recorder.report();
    assert_eq!((report.items, report.attempts, report.function.as_str()), (1, 2, "f"));
    assert_eq!((report.sizes.arguments.sum(), report.sizes.values.sum()), (5, 9));
    let running: Vec<_> = report.running.iter().map(|(worker, run)| (*worker, run.item)).collect();
    assert_eq!(running, [(0, 100), (2, 102)]);
    let mut last = recorder.queue(3, "f", 5);
    last.begin_on_free_worker();
    assert_eq!(recorder.report().running[&1].item, 103);
    recorder.reject(50, "f", &Error::input("no"));
    assert_eq!((recorder.report().items, recorder.report().failed), (2, 1));
}

/// Writes a report whose texts try to end the script and to run one.
fn hostile() -> (Report, String) {
    let text = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u{2028}&";
    let mut report = Report { function: text.to_owned(), ..report(20) };
    let details = format!("{text}\u{202e}\0");
    let failure = Some(ItemFailure { kind: text.to_owned(), details });
    report.record(ItemRecord { failure, ..item(21) });
    let page = report.html();
    (report, page)
}

#[test]
fn hostile_texts_stay_inside_the_data_of_the_page() {
    let (report, page) = hostile();
    assert_eq!(page.matches("<script").count(), 2, "the data and the program");
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<img") && !page.contains("alert(1)</") && !page.contains('\u{2028}'));
    let start = page.find("type=\"application/json\">").unwrap();
    let data = &page[start + "type=\"application/json\">".len()..];
    let data = &data[..data.find("</script").unwrap()];
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let read: Report = serde_json::from_value(data["report"].clone()).unwrap();
    assert_eq!(read, report);
}

#[test]
fn page_needs_no_network() {
    let page = report(20).html();
    assert!(page.contains("default-src 'none'"));
    for reference in ["http://", "https://", " src=", "@import", "url(", "innerHTML", "fetch("] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn page_is_written_to_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.html");
    report(3).to_html(&path).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("<!doctype html>"));
    let error = report(3).to_html(Path::new("/nonexistent/report.html")).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/report.html"), "{error}");
}

#[test]
fn items_of_an_earlier_program_have_their_own_workers_and_times() {
    let recorder = Recorder::default();
    recorder.continue_map(1_800_000_000_000_000);
    recorder.add("f", 7, item(2));
    let mut trace = recorder.queue(3, "f", 5);
    trace.begin(0);
    trace.end(Ok(9));
    let report = recorder.report();
    assert_eq!((report.items, report.started_unix_ms), (2, 1_800_000_000_000));
    assert_eq!((report.function.as_str(), report.timeline.workers.len()), ("f", 2));
    assert_eq!(report.timeline.workers[&0][0].from_us, 2000);
}

#[test]
fn absurd_times_of_a_staged_item_are_recorded() {
    let mut report = Report::default();
    let statistics = Statistics { start_us: u64::MAX, run_us: u64::MAX, ..Statistics::default() };
    for number in 0..30_000 {
        let (from_us, until_us) = match number % 3 {
            0 => (0, u64::MAX),
            1 => (u64::MAX, 0),
            _ => (u64::MAX, u64::MAX),
        };
        let statistics = Some(statistics.clone());
        report.record(ItemRecord { from_us, until_us, statistics, ..item(number) });
    }
    assert_eq!((report.items, report.until_us), (30_000, u64::MAX));
    assert!(report.html().starts_with("<!doctype html>"));
}
