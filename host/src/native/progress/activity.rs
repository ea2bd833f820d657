//! Running activities, and the lines that display them.

use std::time::{Duration, Instant};

use console::{measure_text_width, truncate_str};
use tracing::span::Id;

use crate::map::progress::{Counts, Summary};

/// The maximum number of runs that have a line.
const MAX_RUN_LINES: usize = 10;

/// The age at which an activity is displayed.
const DISPLAY_DELAY: Duration = Duration::from_secs(1);

/// The time between two frames of the spinner.
pub(super) const TICK: Duration = Duration::from_millis(120);

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The width of a bar, in columns.
const BAR: usize = 12;

/// The minimum width of a bar, in columns.
const MIN_BAR: usize = 4;

/// All running activities.
#[derive(Debug, Default)]
pub(super) struct Activities {
    uploads: Option<Uploads>,
    steps: Vec<Step>,
    maps: Vec<Map>,
    runs: Vec<Run>,
}

/// All uploads together.
#[derive(Debug)]
struct Uploads {
    since: Instant,
    /// The number of open upload spans.
    spans: usize,
    files: u64,
    done: u64,
    bytes: u64,
}

/// A compilation or a pull.
#[derive(Debug)]
struct Step {
    span: Id,
    since: Instant,
    text: String,
}

/// A map. Its runs have lines of their own.
#[derive(Debug)]
struct Map {
    span: Id,
    since: Instant,
    function: String,
    /// The number of items; 0 if it is unknown.
    items: u64,
    counts: Counts,
}

#[derive(Debug)]
struct Run {
    span: Id,
    since: Instant,
    closure: String,
    run_name: String,
    attempt: u64,
}

impl Activities {
    pub(super) fn is_idle(&self) -> bool {
        self.uploads.is_none()
            && self.steps.is_empty()
            && self.maps.is_empty()
            && self.runs.is_empty()
    }

    pub(super) fn start_upload(&mut self, files: u64, bytes: u64) {
        let new = || Uploads { since: Instant::now(), spans: 0, files: 0, done: 0, bytes: 0 };
        let uploads = self.uploads.get_or_insert_with(new);
        uploads.spans += 1;
        uploads.files += files;
        uploads.bytes += bytes;
    }

    pub(super) fn upload(&mut self, bytes: u64) {
        if let Some(uploads) = &mut self.uploads {
            uploads.done += bytes;
        }
    }

    pub(super) fn end_upload(&mut self) {
        if let Some(uploads) = &mut self.uploads {
            uploads.spans -= 1;
        }
        self.uploads.take_if(|uploads| uploads.spans == 0);
    }

    /// Displays `text` as the step of the span `span`: begins the step, or changes its text.
    pub(super) fn set_step(&mut self, span: &Id, text: String) {
        match self.steps.iter_mut().find(|step| step.span == *span) {
            Some(step) => step.text = text,
            None => self.steps.push(Step { span: span.clone(), since: Instant::now(), text }),
        }
    }

    /// Begins to display the map of the span `span`, which has this number of items, or 0 if the number is unknown.
    pub(super) fn start_map(&mut self, span: &Id, function: &str, items: u64) {
        self.maps.push(Map {
            span: span.clone(),
            since: Instant::now(),
            function: function.to_owned(),
            items,
            counts: Counts::default(),
        });
    }

    /// Changes the numbers of the map of the span `span`.
    pub(super) fn change_map(&mut self, span: &Id, change: impl FnOnce(&mut Counts)) {
        if let Some(map) = self.maps.iter_mut().find(|map| map.span == *span) {
            change(&mut map.counts);
        }
    }

    /// Displays `attempt` as the attempt of the run of the span `span`: begins the run, or changes its attempt.
    pub(super) fn set_attempt(&mut self, span: &Id, closure: &str, run_name: &str, attempt: u64) {
        match self.runs.iter_mut().find(|run| run.span == *span) {
            Some(run) => run.attempt = attempt,
            None => self.runs.push(Run {
                span: span.clone(),
                since: Instant::now(),
                closure: closure.to_owned(),
                run_name: run_name.to_owned(),
                attempt,
            }),
        }
    }

    /// Ends the step, the map or the run of the span `span`.
    pub(super) fn end(&mut self, span: &Id) {
        self.steps.retain(|step| step.span != *span);
        self.maps.retain(|map| map.span != *span);
        self.runs.retain(|run| run.span != *span);
    }

    /// Returns the lines for a terminal of `columns` columns. Activities younger than [`DISPLAY_DELAY`] have none.
    pub(super) fn lines(&self, now: Instant, columns: usize) -> Vec<String> {
        let age = |since: &Instant| now.saturating_duration_since(*since);
        let is_displayed = |since: &Instant| age(since) >= DISPLAY_DELAY;
        let mut lines = Vec::new();
        if let Some(uploads) = self.uploads.as_ref().filter(|uploads| is_displayed(&uploads.since))
        {
            lines.push(uploads.line(columns));
        }
        let steps = self.steps.iter().filter(|step| is_displayed(&step.since));
        lines.extend(steps.map(|step| spinner_line(age(&step.since), &step.text)));
        let maps = self.maps.iter().filter(|map| is_displayed(&map.since));
        lines.extend(maps.map(|map| map.line(age(&map.since), columns)));
        let mut runs = self.runs.iter().filter(|run| is_displayed(&run.since));
        let first_runs = runs.by_ref().take(MAX_RUN_LINES);
        lines.extend(first_runs.map(|run| spinner_line(age(&run.since), &run.text())));
        match runs.count() {
            0 => {}
            more => lines.push(format!("  and {more} more")),
        }
        lines.iter().map(|line| truncate_str(line, columns, "…").into_owned()).collect()
    }
}

impl Map {
    /// Returns a line, with a bar if the number of items is known and there is room for it.
    fn line(&self, age: Duration, columns: usize) -> String {
        let Self { function, items, counts, .. } = self;
        let items = Some(*items).filter(|items| *items > 0);
        let summary = Summary { counts: *counts, items, elapsed: age };
        let line = spinner_line(age, &format!("{function}: {summary}"));
        let room = columns.saturating_sub(measure_text_width(&line) + 1);
        match items {
            Some(items) if room >= MIN_BAR => {
                format!("{line} {}", bar(counts.done, items, room.min(BAR)))
            }
            _ => line,
        }
    }
}

impl Run {
    fn text(&self) -> String {
        let Self { closure, run_name, attempt, .. } = self;
        match attempt {
            1 => format!("{closure} ({run_name})"),
            _ => format!("{closure} (attempt {attempt}, {run_name})"),
        }
    }
}

impl Uploads {
    fn line(&self, columns: usize) -> String {
        let Self { files, done, bytes, .. } = self;
        let left = format!("uploading {files} files");
        let right = format!("{} {}/{}", bar(*done, *bytes, BAR), size(*done), size(*bytes));
        let room = columns.saturating_sub(measure_text_width(&right) + 1);
        format!("{left:room$} {right}")
    }
}

/// Returns a bar of `width` columns, which shows the share of `done` in `all`.
fn bar(done: u64, all: u64, width: usize) -> String {
    let share = (width as u64).saturating_mul(done.min(all)).checked_div(all);
    let filled = usize::try_from(share.unwrap_or_default()).unwrap_or(width);
    let head = if (1..width).contains(&filled) { ">" } else { "" };
    let bar = format!("{}{head}", "=".repeat(filled.saturating_sub(head.len())));
    format!("{bar:width$}")
}

/// Formats a line with a spinner and the age of the activity.
fn spinner_line(age: Duration, text: &str) -> String {
    let frame = age.as_millis() / TICK.as_millis();
    let spinner = SPINNER[usize::try_from(frame).unwrap_or_default() % SPINNER.len()];
    format!("{spinner} {:>4} {text}", elapsed(age))
}

/// Formats a duration in its largest unit: `3m`.
pub(crate) fn elapsed(age: Duration) -> String {
    match age.as_secs() {
        seconds if seconds < 60 => format!("{seconds}s"),
        seconds if seconds < 60 * 60 => format!("{}m", seconds / 60),
        seconds => format!("{}h", seconds / 60 / 60),
    }
}

/// Formats a number of bytes in binary units: `1.50 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(bits, _)| bytes >> bits > 0) {
        Some((bits, unit)) => format!("{:.2} {unit}", bytes as f64 / (1_u64 << bits) as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: usize = 80;

    fn later() -> Instant {
        Instant::now() + DISPLAY_DELAY
    }

    /// Returns the lines without the spinner and the age.
    fn texts(activities: &Activities) -> Vec<String> {
        let lines = activities.lines(later(), COLUMNS);
        lines.iter().map(|line| line.chars().skip(7).collect()).collect()
    }

    fn run(activities: &mut Activities, number: u64) {
        activities.set_attempt(&Id::from_u64(number), "train", &format!("r-{number}"), 1);
    }

    #[test]
    fn short_activities_are_not_displayed() {
        let mut activities = Activities::default();
        run(&mut activities, 1);
        activities.start_upload(1, 1);
        activities.set_step(&Id::from_u64(9), "compiling".into());
        let now = Instant::now();
        assert_eq!(activities.lines(now, COLUMNS), [""; 0]);
        assert_eq!(activities.lines(now + DISPLAY_DELAY, COLUMNS).len(), 3);
    }

    #[test]
    fn run_is_displayed_until_it_ends() {
        let mut activities = Activities::default();
        run(&mut activities, 1);
        run(&mut activities, 2);
        assert_eq!(texts(&activities), ["train (r-1)", "train (r-2)"]);
        assert!(activities.lines(later(), COLUMNS)[0].contains("   1s "));
        activities.set_attempt(&Id::from_u64(1), "train", "r-1", 2);
        assert_eq!(texts(&activities), ["train (attempt 2, r-1)", "train (r-2)"]);
        activities.end(&Id::from_u64(1));
        assert_eq!(texts(&activities), ["train (r-2)"]);
        activities.end(&Id::from_u64(2));
        assert!(activities.is_idle());
    }

    #[test]
    fn map_is_displayed_with_its_numbers() {
        let (mut activities, id) = (Activities::default(), Id::from_u64(1));
        activities.start_map(&id, "price", 1000);
        activities.change_map(&id, |counts| *counts = Counts { done: 500, failed: 3, running: 16 });
        let later = Instant::now() + Duration::from_secs(10);
        let line = &activities.lines(later, COLUMNS)[0];
        let expected =
            "10s price: 500/1000 done, 3 failed, 16 running, 50/s, 10s left =====>      ";
        assert!(line.ends_with(expected), "{line}");
        assert!(measure_text_width(line) <= COLUMNS, "{line}");
        assert!(!activities.lines(later, 66)[0].contains("=>"));
        activities.end(&id);
        assert!(activities.is_idle());
    }

    #[test]
    fn oldest_of_many_runs_are_displayed() {
        let mut activities = Activities::default();
        (1..=MAX_RUN_LINES as u64 + 3).for_each(|number| run(&mut activities, number));
        let lines = activities.lines(later(), COLUMNS);
        assert_eq!(
            (lines.len(), lines[MAX_RUN_LINES].as_str()),
            (MAX_RUN_LINES + 1, "  and 3 more")
        );
        activities.end(&Id::from_u64(1));
        assert_eq!(texts(&activities)[0], "train (r-2)");
        assert_eq!(activities.lines(later(), COLUMNS)[MAX_RUN_LINES], "  and 2 more");
    }

    #[test]
    fn concurrent_uploads_share_one_bar() {
        let mut activities = Activities::default();
        activities.start_upload(2, 4096);
        activities.start_upload(2, 4096);
        activities.upload(2048);
        let expected = "uploading 4 files             ==>          2.00 KiB/8.00 KiB";
        assert_eq!(activities.lines(later(), 60), [expected]);
        activities.end_upload();
        activities.upload(6144);
        assert!(activities.lines(later(), 60)[0].contains("============ 8.00 KiB/8.00 KiB"));
        activities.end_upload();
        assert!(activities.is_idle());
    }

    #[test]
    fn step_text_can_change() {
        let (mut activities, id) = (Activities::default(), Id::from_u64(1));
        activities.set_step(&id, "pulling spotify/hype:1".into());
        activities.set_step(&id, "pulling spotify/hype:1: 1.00 MiB/3.00 MiB".into());
        assert_eq!(texts(&activities), ["pulling spotify/hype:1: 1.00 MiB/3.00 MiB"]);
    }

    #[test]
    fn progress_lines_are_cut_at_the_terminal_width() {
        let mut activities = Activities::default();
        activities.set_step(&Id::from_u64(1), format!("compiling {}", "文字".repeat(40)));
        activities.start_upload(1_000_000, u64::MAX);
        for columns in [10, 30, 31, 80] {
            let lines = activities.lines(later(), columns);
            for line in lines {
                assert!(measure_text_width(&line) <= columns, "{line}");
            }
        }
    }

    #[test]
    fn sizes_are_in_binary_units() {
        let sizes = [0, 1023, 1 << 10, 3 << 19, 1 << 40].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.00 KiB", "1.50 MiB", "1.00 TiB"]);
    }
}
