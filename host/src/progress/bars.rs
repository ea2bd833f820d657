//! Progress as bars on a terminal: one for uploads, a line for each compilation and each run.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::progress::fields::{Fields, is_told};
use crate::progress::{STEP, UPLOADED, lines};

/// How many runs have a line of their own.
const LINES: usize = 10;

/// Draws what spans of hype tell, and writes its events above.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    drawn: MultiProgress,
    going: Mutex<Going>,
}

/// What goes on now.
#[derive(Debug, Default)]
struct Going {
    uploads: Option<Uploads>,
    runs: Vec<Run>,
    /// The line that stands for runs without one.
    more: Option<ProgressBar>,
}

/// All uploads together.
#[derive(Debug)]
struct Uploads {
    bar: ProgressBar,
    files: u64,
    /// How many spans there are of them.
    spans: usize,
}

#[derive(Debug)]
struct Run {
    id: Id,
    closure: String,
    name: String,
    attempt: u64,
    since: Instant,
    line: Option<ProgressBar>,
}

/// What a span stands for.
enum Doing {
    Uploading,
    Compiling(ProgressBar),
    Pulling { image: String, line: ProgressBar },
    Running { closure: String, name: String },
}

impl Bars {
    /// What draws them, and can take them away for a while.
    pub(crate) fn drawn(&self) -> &MultiProgress {
        &self.drawn
    }

    fn going(&self) -> MutexGuard<'_, Going> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_upload(&self, files: u64, bytes: u64) {
        let mut going = self.going();
        let uploads = going.uploads.get_or_insert_with(|| {
            let template = "{wide_msg} {bar:12} {bytes}/{total_bytes}";
            let bar = self.drawn.insert(0, styled(ProgressBar::new(0), template));
            Uploads { bar, files: 0, spans: 0 }
        });
        uploads.spans += 1;
        uploads.files += files;
        uploads.bar.inc_length(bytes);
        uploads.bar.set_message(format!("uploading {} files", uploads.files));
    }

    fn end_upload(&self) {
        let mut going = self.going();
        if let Some(uploads) = &mut going.uploads {
            uploads.spans -= 1;
            if uploads.spans == 0 {
                self.erase(&uploads.bar);
                going.uploads = None;
            }
        }
    }

    fn start_line(&self, message: String) -> ProgressBar {
        let line = self.drawn.add(line(Duration::ZERO));
        line.set_message(message);
        line.enable_steady_tick(TICK);
        line
    }

    /// Shows a run's attempt, its first or a further one.
    fn start_attempt(&self, id: &Id, closure: &str, name: &str, attempt: u64) {
        let mut going = self.going();
        match going.runs.iter_mut().find(|run| run.id == *id) {
            Some(run) => {
                run.attempt = attempt;
                if let Some(line) = &run.line {
                    line.set_message(run.text());
                }
            }
            None => going.runs.push(Run {
                id: id.clone(),
                closure: closure.to_owned(),
                name: name.to_owned(),
                attempt,
                since: Instant::now(),
                line: None,
            }),
        }
        self.give_lines(&mut going);
    }

    fn end_run(&self, id: &Id) {
        let mut going = self.going();
        if let Some(index) = going.runs.iter().position(|run| run.id == *id) {
            if let Some(line) = going.runs.remove(index).line {
                self.erase(&line);
            }
            self.give_lines(&mut going);
        }
    }

    /// Gives the oldest runs lines, and tells the number of the others.
    fn give_lines(&self, going: &mut Going) {
        let Going { runs, more, .. } = going;
        for run in runs.iter_mut().take(LINES).filter(|run| run.line.is_none()) {
            let line = line(run.since.elapsed());
            let line = match &more {
                Some(more) => self.drawn.insert_before(more, line),
                None => self.drawn.add(line),
            };
            line.set_message(run.text());
            line.enable_steady_tick(TICK);
            run.line = Some(line);
        }
        match runs.len().saturating_sub(LINES) {
            0 => more.take().iter().for_each(|more| self.erase(more)),
            count => more
                .get_or_insert_with(|| {
                    self.drawn.add(styled(ProgressBar::no_length(), "  {wide_msg}"))
                })
                .set_message(format!("and {count} more")),
        }
    }

    fn erase(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.drawn.remove(bar);
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

/// How often a line that goes on by itself is drawn.
const TICK: Duration = Duration::from_millis(120);

fn line(elapsed: Duration) -> ProgressBar {
    styled(ProgressBar::no_length().with_elapsed(elapsed), "{spinner} {elapsed:>4} {wide_msg}")
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    // A template that can't be read would show as indicatif's own.
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Bars {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_told(metadata, Level::DEBUG)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let doing = match attributes.metadata().name() {
            "upload" => {
                self.start_upload(fields.number("files"), fields.number("bytes"));
                Doing::Uploading
            }
            "compile" => {
                let (component, platform) = (fields.text("component"), fields.text("platform"));
                Doing::Compiling(self.start_line(format!("compiling {component} for {platform}")))
            }
            "pull" => {
                let image = fields.text("image").to_owned();
                let line = self.start_line(format!("pulling {image}"));
                Doing::Pulling { image, line }
            }
            "run" => Doing::Running {
                closure: fields.text("closure").to_owned(),
                name: fields.text("run").to_owned(),
            },
            _ => return,
        };
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(doing);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        let mut fields = Fields::default();
        values.record(&mut fields);
        match span.extensions().get() {
            Some(Doing::Running { closure, name }) => {
                self.start_attempt(id, closure, name, fields.number("attempt"));
            }
            Some(Doing::Pulling { image, line }) => {
                line.set_message(format!("pulling {image}: {}", fields.text("layers")));
            }
            _ => {}
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == UPLOADED {
            let mut fields = Fields::default();
            event.record(&mut fields);
            if let Some(uploads) = &self.going().uploads {
                uploads.bar.inc(fields.number("bytes"));
            }
        } else if metadata.target() != STEP && *metadata.level() <= Level::INFO {
            lines::say(event);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        match span.extensions_mut().remove::<Doing>() {
            Some(Doing::Uploading) => self.end_upload(),
            Some(Doing::Compiling(line) | Doing::Pulling { line, .. }) => self.erase(&line),
            Some(Doing::Running { .. }) => self.end_run(&id),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{InMemoryTerm, ProgressDrawTarget};
    use tracing::field::Empty;
    use tracing::{Span, info_span};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::registry::Registry;

    struct Screen {
        terminal: InMemoryTerm,
        drawn: MultiProgress,
    }

    impl Screen {
        /// What stands there, once it was drawn anew.
        fn lines(&self) -> Vec<String> {
            self.drawn.suspend(|| {});
            self.terminal.contents().lines().map(|line| line.trim_end().to_owned()).collect()
        }

        /// The same without what changes by itself: the spinner and the time.
        fn texts(&self) -> Vec<String> {
            let text = |line: &String| line.chars().skip(7).collect();
            self.lines().iter().map(text).collect()
        }
    }

    fn with_bars(width: u16, test: impl FnOnce(&Screen)) {
        let terminal = InMemoryTerm::new(40, width);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let bars = Bars { drawn: MultiProgress::with_draw_target(target), ..Bars::default() };
        let screen = Screen { terminal, drawn: bars.drawn.clone() };
        tracing::subscriber::with_default(Registry::default().with(bars), || test(&screen));
    }

    fn run(number: u32) -> Span {
        let span = info_span!(target: "hype::test", "run", closure = "train", run = %format!("r-{number}"), attempt = Empty);
        span.record("attempt", 1);
        span
    }

    #[test]
    fn each_run_has_a_line_until_it_ends() {
        with_bars(80, |screen| {
            let (one, two) = (run(1), run(2));
            assert_eq!(screen.texts(), ["train (r-1)", "train (r-2)"]);
            assert!(screen.lines()[0].contains(" 0s "), "{:?}", screen.lines());
            one.record("attempt", 2);
            assert_eq!(screen.texts(), ["train (attempt 2, r-1)", "train (r-2)"]);
            drop(one);
            assert_eq!(screen.texts(), ["train (r-2)"]);
            drop(two);
            assert_eq!(screen.lines(), [""; 0]);
        });
    }

    #[test]
    fn of_very_many_runs_the_oldest_have_lines() {
        with_bars(80, |screen| {
            let mut runs: Vec<_> = (0..LINES as u32 + 3).map(run).collect();
            let lines = screen.lines();
            assert_eq!((lines.len(), lines[LINES].as_str()), (LINES + 1, "  and 3 more"));
            runs.remove(0);
            let texts = screen.texts();
            assert_eq!(
                (texts[0].as_str(), texts[LINES - 1].as_str()),
                ("train (r-1)", "train (r-10)")
            );
            assert_eq!(screen.lines()[LINES], "  and 2 more");
            runs.truncate(2);
            assert_eq!(screen.texts(), ["train (r-1)", "train (r-2)"]);
        });
    }

    #[test]
    fn uploads_are_one_bar_fed_by_what_is_done() {
        let upload = || info_span!(target: "hype::test", "upload", files = 2, bytes = 4096);
        with_bars(60, |screen| {
            let (one, two) = (upload(), upload());
            tracing::debug!(target: UPLOADED, bytes = 2048, "done");
            let expected = "uploading 4 files             ===>         2.00 KiB/8.00 KiB";
            assert_eq!(screen.lines(), [expected]);
            drop(one);
            tracing::debug!(target: UPLOADED, bytes = 2048, "done");
            assert!(screen.lines()[0].ends_with("4.00 KiB/8.00 KiB"), "{:?}", screen.lines());
            drop(two);
            assert_eq!(screen.lines(), [""; 0]);
        });
    }

    #[test]
    fn a_pull_tells_how_much_of_the_layers_is_here() {
        with_bars(80, |screen| {
            let pull =
                info_span!(target: "hype::test", "pull", image = "spotify/hype:1", layers = Empty);
            assert_eq!(screen.texts(), ["pulling spotify/hype:1"]);
            pull.record("layers", "1.00 MiB/3.00 MiB");
            assert_eq!(screen.texts(), ["pulling spotify/hype:1: 1.00 MiB/3.00 MiB"]);
            drop(pull);
            assert_eq!(screen.lines(), [""; 0]);
        });
    }

    #[test]
    fn lines_are_cut_where_the_terminal_ends() {
        with_bars(30, |screen| {
            let compile = info_span!(target: "hype::test", "compile", component = "a-component-with-a-long-name.wasm", platform = "x86_64-v3");
            assert_eq!(screen.texts(), ["compiling a-component-w"]);
            drop(compile);
            assert_eq!(screen.lines(), [""; 0]);
        });
    }
}
