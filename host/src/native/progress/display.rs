//! The one terminal of this program, on which what goes on is drawn while it goes on.

use std::io::{self, Stderr, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use console::Term;

use super::going::{Going, TICK};
use super::screen::{Screen, Size};

/// What goes on, and the terminal that shows it.
pub(crate) struct Display<W = Stderr> {
    /// Locked before the screen.
    going: Mutex<Going>,
    /// Told when something begins or ends.
    changed: Condvar,
    screen: Mutex<Screen<W>>,
    size: Box<dyn Fn() -> Size + Send + Sync>,
}

impl Display {
    /// The display on the standard error.
    ///
    /// # Errors
    ///
    /// When no thread can be started that draws it.
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        let terminal = Term::stderr();
        let size = move || {
            let (rows, columns) = terminal.size();
            Size { rows: rows.into(), columns: columns.into() }
        };
        let display = Arc::new(Self::new(io::stderr(), size));
        let drawn = Arc::clone(&display);
        std::thread::Builder::new().name("hype-progress".into()).spawn(move || drawn.draw())?;
        Ok(display)
    }
}

impl<W: Write> Display<W> {
    pub(super) fn new(out: W, size: impl Fn() -> Size + Send + Sync + 'static) -> Self {
        Self {
            going: Mutex::default(),
            changed: Condvar::new(),
            screen: Mutex::new(Screen::new(out)),
            size: Box::new(size),
        }
    }

    /// Draws while something goes on, for as long as the program runs.
    fn draw(&self) {
        let mut going = self.going();
        loop {
            going = wait(self.changed.wait_while(going, |going| going.is_idle()));
            self.show(&going, Instant::now());
            let ticked = self.changed.wait_timeout_while(going, TICK, |going| !going.is_idle());
            going = wait(ticked.map(|(going, _)| going).map_err(|error| {
                let (going, _) = error.into_inner();
                PoisonError::new(going)
            }));
        }
    }

    /// Changes what goes on, which is drawn at the next tick.
    pub(super) fn change(&self, change: impl FnOnce(&mut Going)) {
        change(&mut self.going());
        self.changed.notify_one();
    }

    /// Ends something that went on. It isn't shown any more afterwards.
    pub(super) fn end(&self, end: impl FnOnce(&mut Going)) {
        let mut going = self.going();
        end(&mut going);
        if self.screen().is_showing() {
            self.show(&going, Instant::now());
        }
        drop(going);
        self.changed.notify_one();
    }

    fn show(&self, going: &Going, now: Instant) {
        let size = (self.size)();
        self.screen().show(going.lines(now, size.columns), size);
    }

    /// How many columns the terminal has now.
    pub(super) fn columns(&self) -> usize {
        (self.size)().columns
    }

    /// Writes `text`, which ends a line, above what is drawn.
    pub(crate) fn write(&self, text: &str) {
        self.screen().write(text);
    }

    /// Takes away what is drawn, unless it is just being drawn.
    pub(crate) fn try_clear(&self) {
        if let Ok(mut screen) = self.screen.try_lock() {
            screen.clear();
        }
    }

    /// Takes away what is drawn, for good.
    pub(crate) fn close(&self) {
        self.screen().close();
    }

    fn going(&self) -> MutexGuard<'_, Going> {
        wait(self.going.lock())
    }

    fn screen(&self) -> MutexGuard<'_, Screen<W>> {
        wait(self.screen.lock())
    }
}

fn wait<T>(locked: Result<T, PoisonError<T>>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}

impl<W> std::fmt::Debug for Display<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Display")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing::field::Empty;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::registry::Registry;

    use super::super::bars::Bars;
    use super::super::terminal_of_tests::Terminal;
    use super::*;

    /// As a person sees two runs on a terminal of 80 columns, while the program prints.
    #[test]
    fn runs_and_lines_share_a_terminal_of_80_columns() {
        let size = Size { rows: 12, columns: 80 };
        let mut terminal = Terminal::new(size);
        let display = Arc::new(Display::new(terminal.clone(), move || size));
        let show = |seconds| {
            let later = Instant::now() + Duration::from_secs(seconds);
            display.show(&display.going(), later);
        };
        let layer = Bars::new(Arc::clone(&display));
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            let run = |name: &str| {
                let span = tracing::info_span!(target: "hype::test", "run", closure = "of", run = name, attempt = Empty);
                // As of a run that somebody attaches to.
                span.record("closure", "train");
                span.record("attempt", 1);
                span
            };
            let (one, other) = (run("hype-run-tizxijbai4"), run("hype-run-afhem97y9k"));
            show(0);
            assert_eq!(terminal.rows(), [""; 0]);
            show(5);
            writeln!(terminal, "printed by the program").unwrap();
            tracing::info!(target: "hype::test", "hype-run-tizxijbai4 ended with a value after 6055.0 ms: fetch 39.7 ms, load 4.1 ms, start 0.7 ms");
            tracing::warn!(target: "hype::test", "pod hype-run-afhem97y9k-1 cannot get its image: not found; waiting up to 118 s for it");
            drop(one);
            show(70);
            let rows: Vec<_> = terminal
                .rows()
                .iter()
                .map(|row| row.replace(|c: char| ('\u{2800}'..'\u{2900}').contains(&c), "*"))
                .collect();
            insta::assert_snapshot!(rows.join("\n"), @r"
            printed by the program
            hype: hype-run-tizxijbai4 ended with a value after 6055.0 ms: fetch 39.7 ms, lo…
            hype: pod hype-run-afhem97y9k-1 cannot get its image: not found; waiting up to
              118 s for it







            *   1m train (hype-run-afhem97y9k)
            ");
            drop(other);
            let rows = terminal.rows();
            assert!(rows.len() == 4 && !rows.iter().any(|row| row.contains("train")), "{rows:?}");
        });
    }
}
