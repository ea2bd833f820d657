//! What goes on now, and the lines that show it.

use std::time::{Duration, Instant};

use console::{measure_text_width, truncate_str};
use tracing::span::Id;

/// How many runs have a line of their own.
const LINES: usize = 10;

/// How long something must go on to be shown.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// How long each picture of the spinner is shown.
pub(super) const TICK: Duration = Duration::from_millis(120);

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// How many columns the bar of the uploads has.
const BAR: usize = 12;

/// All that goes on now.
#[derive(Debug, Default)]
pub(super) struct Going {
    uploads: Option<Uploads>,
    /// Compilations and pulls.
    steps: Vec<Step>,
    runs: Vec<Run>,
}

/// All uploads together.
#[derive(Debug)]
struct Uploads {
    since: Instant,
    /// How many spans there are of them.
    spans: usize,
    files: u64,
    done: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Step {
    id: Id,
    since: Instant,
    text: String,
}

#[derive(Debug)]
struct Run {
    id: Id,
    since: Instant,
    closure: String,
    name: String,
    attempt: u64,
}

impl Going {
    pub(super) fn is_idle(&self) -> bool {
        self.uploads.is_none() && self.steps.is_empty() && self.runs.is_empty()
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

    /// Begins or changes the step of the span `id`.
    pub(super) fn step(&mut self, id: &Id, text: String) {
        match self.steps.iter_mut().find(|step| step.id == *id) {
            Some(step) => step.text = text,
            None => self.steps.push(Step { id: id.clone(), since: Instant::now(), text }),
        }
    }

    /// Begins an attempt, the first or a further one, at the run of the span `id`.
    pub(super) fn attempt(&mut self, id: &Id, closure: &str, name: &str, attempt: u64) {
        match self.runs.iter_mut().find(|run| run.id == *id) {
            Some(run) => run.attempt = attempt,
            None => self.runs.push(Run {
                id: id.clone(),
                since: Instant::now(),
                closure: closure.to_owned(),
                name: name.to_owned(),
                attempt,
            }),
        }
    }

    /// Ends the step or the run of the span `id`.
    pub(super) fn end(&mut self, id: &Id) {
        self.steps.retain(|step| step.id != *id);
        self.runs.retain(|run| run.id != *id);
    }

    /// The lines that show it on a terminal of so many columns. What began a moment ago isn't shown yet.
    pub(super) fn lines(&self, now: Instant, columns: usize) -> Vec<String> {
        let age = |since: &Instant| now.saturating_duration_since(*since);
        let is_shown = |since: &Instant| age(since) >= SHOWN_AFTER;
        let mut lines = Vec::new();
        if let Some(uploads) = self.uploads.as_ref().filter(|uploads| is_shown(&uploads.since)) {
            lines.push(uploads.line(columns));
        }
        let steps = self.steps.iter().filter(|step| is_shown(&step.since));
        lines.extend(steps.map(|step| timed(age(&step.since), &step.text)));
        let mut runs = self.runs.iter().filter(|run| is_shown(&run.since));
        let own = runs.by_ref().take(LINES);
        lines.extend(own.map(|run| timed(age(&run.since), &run.text())));
        match runs.count() {
            0 => {}
            more => lines.push(format!("  and {more} more")),
        }
        lines.iter().map(|line| truncate_str(line, columns, "…").into_owned()).collect()
    }
}

impl Run {
    fn text(&self) -> String {
        let Self { closure, name, attempt, .. } = self;
        match attempt {
            1 => format!("{closure} ({name})"),
            _ => format!("{closure} (attempt {attempt}, {name})"),
        }
    }
}

impl Uploads {
    fn line(&self, columns: usize) -> String {
        let Self { files, done, bytes, .. } = self;
        let filled = match *bytes {
            0 => 0,
            bytes => usize::try_from(BAR as u64 * (*done).min(bytes) / bytes).unwrap_or(BAR),
        };
        let head = if (1..BAR).contains(&filled) { ">" } else { "" };
        let bar = format!("{}{head}", "=".repeat(filled.saturating_sub(head.len())));
        let left = format!("uploading {files} files");
        let right = format!("{bar:BAR$} {}/{}", size(*done), size(*bytes));
        let room = columns.saturating_sub(measure_text_width(&right) + 1);
        format!("{left:room$} {right}")
    }
}

/// A line that goes on by itself.
fn timed(age: Duration, text: &str) -> String {
    let picture = age.as_millis() / TICK.as_millis();
    let spinner = SPINNER[usize::try_from(picture).unwrap_or_default() % SPINNER.len()];
    format!("{spinner} {:>4} {text}", elapsed(age))
}

fn elapsed(age: Duration) -> String {
    match age.as_secs() {
        seconds if seconds < 60 => format!("{seconds}s"),
        seconds if seconds < 60 * 60 => format!("{}m", seconds / 60),
        seconds => format!("{}h", seconds / 60 / 60),
    }
}

/// So many bytes, as a person reads them.
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
        Instant::now() + SHOWN_AFTER
    }

    /// The lines without what changes by itself: the spinner and the time.
    fn texts(going: &Going) -> Vec<String> {
        let lines = going.lines(later(), COLUMNS);
        lines.iter().map(|line| line.chars().skip(7).collect()).collect()
    }

    fn run(going: &mut Going, number: u64) {
        going.attempt(&Id::from_u64(number), "train", &format!("r-{number}"), 1);
    }

    #[test]
    fn what_ends_within_a_second_is_not_shown() {
        let mut going = Going::default();
        run(&mut going, 1);
        going.start_upload(1, 1);
        going.step(&Id::from_u64(9), "compiling".into());
        let now = Instant::now();
        assert_eq!(going.lines(now, COLUMNS), [""; 0]);
        assert_eq!(going.lines(now + SHOWN_AFTER, COLUMNS).len(), 3);
    }

    #[test]
    fn each_run_has_a_line_until_it_ends() {
        let mut going = Going::default();
        run(&mut going, 1);
        run(&mut going, 2);
        assert_eq!(texts(&going), ["train (r-1)", "train (r-2)"]);
        assert!(going.lines(later(), COLUMNS)[0].contains("   1s "));
        going.attempt(&Id::from_u64(1), "train", "r-1", 2);
        assert_eq!(texts(&going), ["train (attempt 2, r-1)", "train (r-2)"]);
        going.end(&Id::from_u64(1));
        assert_eq!(texts(&going), ["train (r-2)"]);
        going.end(&Id::from_u64(2));
        assert!(going.is_idle());
    }

    #[test]
    fn of_very_many_runs_the_oldest_have_lines() {
        let mut going = Going::default();
        (1..=LINES as u64 + 3).for_each(|number| run(&mut going, number));
        let lines = going.lines(later(), COLUMNS);
        assert_eq!((lines.len(), lines[LINES].as_str()), (LINES + 1, "  and 3 more"));
        going.end(&Id::from_u64(1));
        assert_eq!(texts(&going)[0], "train (r-2)");
        assert_eq!(going.lines(later(), COLUMNS)[LINES], "  and 2 more");
    }

    #[test]
    fn uploads_are_one_bar_fed_by_what_is_done() {
        let mut going = Going::default();
        going.start_upload(2, 4096);
        going.start_upload(2, 4096);
        going.upload(2048);
        let expected = "uploading 4 files             ==>          2.00 KiB/8.00 KiB";
        assert_eq!(going.lines(later(), 60), [expected]);
        going.end_upload();
        going.upload(6144);
        assert!(going.lines(later(), 60)[0].contains("============ 8.00 KiB/8.00 KiB"));
        going.end_upload();
        assert!(going.is_idle());
    }

    #[test]
    fn a_step_tells_how_far_it_is() {
        let (mut going, id) = (Going::default(), Id::from_u64(1));
        going.step(&id, "pulling spotify/hype:1".into());
        going.step(&id, "pulling spotify/hype:1: 1.00 MiB/3.00 MiB".into());
        assert_eq!(texts(&going), ["pulling spotify/hype:1: 1.00 MiB/3.00 MiB"]);
    }

    #[test]
    fn lines_are_cut_by_the_columns_that_they_take() {
        let mut going = Going::default();
        going.step(&Id::from_u64(1), format!("compiling {}", "文字".repeat(40)));
        going.start_upload(1_000_000, u64::MAX);
        for columns in [10, 30, 31, 80] {
            let lines = going.lines(later(), columns);
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
