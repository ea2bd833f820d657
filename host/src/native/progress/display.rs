//! The display: bars of running activities on the terminal of this program.

use std::io::{self, Stderr, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use console::Term;

use super::activity::{Activities, TICK};
use super::screen::{Screen, Size};

/// The running activities, and the screen that displays them.
pub(crate) struct Display<W = Stderr> {
    /// Locked before the screen.
    activities: Mutex<Activities>,
    /// Notified when an activity begins, changes or ends.
    changed: Condvar,
    screen: Mutex<Screen<W>>,
    size: Box<dyn Fn() -> Size + Send + Sync>,
}

impl Display {
    /// Starts the display on the standard error, and a thread that draws it.
    ///
    /// # Errors
    ///
    /// The error of the system when the thread can't be started.
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
            activities: Mutex::default(),
            changed: Condvar::new(),
            screen: Mutex::new(Screen::new(out)),
            size: Box::new(size),
        }
    }

    /// Draws at each tick while there are activities. It never returns.
    fn draw(&self) {
        let mut activities = self.activities();
        loop {
            activities =
                unpoison(self.changed.wait_while(activities, |activities| activities.is_idle()));
            self.show(&activities, Instant::now());
            let ticked = self
                .changed
                .wait_timeout_while(activities, TICK, |activities| !activities.is_idle());
            activities = unpoison(ticked.map(|(activities, _)| activities).map_err(|error| {
                let (activities, _) = error.into_inner();
                PoisonError::new(activities)
            }));
        }
    }

    /// Changes the activities. The change is drawn at the next tick.
    pub(super) fn change(&self, change: impl FnOnce(&mut Activities)) {
        change(&mut self.activities());
        self.changed.notify_one();
    }

    /// Ends an activity and erases its line immediately.
    pub(super) fn end(&self, end: impl FnOnce(&mut Activities)) {
        let mut activities = self.activities();
        end(&mut activities);
        if self.screen().is_showing() {
            self.show(&activities, Instant::now());
        }
        drop(activities);
        self.changed.notify_one();
    }

    fn show(&self, activities: &Activities, now: Instant) {
        let size = (self.size)();
        self.screen().show(activities.lines(now, size.columns), size);
    }

    /// Returns the number of columns of the terminal.
    pub(super) fn columns(&self) -> usize {
        (self.size)().columns
    }

    /// Writes `text`, which must end with a line feed, above the bars.
    pub(crate) fn write(&self, text: &str) {
        self.screen().write(text);
    }

    /// Erases the bars, unless another thread is drawing them.
    pub(crate) fn try_clear(&self) {
        if let Ok(mut screen) = self.screen.try_lock() {
            screen.clear();
        }
    }

    /// Erases the bars permanently.
    pub(crate) fn close(&self) {
        self.screen().close();
    }

    fn activities(&self) -> MutexGuard<'_, Activities> {
        unpoison(self.activities.lock())
    }

    fn screen(&self) -> MutexGuard<'_, Screen<W>> {
        unpoison(self.screen.lock())
    }
}

/// Returns the guard of a lock, even if another thread panicked while it held the lock.
fn unpoison<T>(locked: Result<T, PoisonError<T>>) -> T {
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
    use super::super::test_terminal::Terminal;
    use super::*;

    #[test]
    fn progress_and_output_share_a_terminal_of_80_columns() {
        let size = Size { rows: 12, columns: 80 };
        let mut terminal = Terminal::new(size);
        let display = Arc::new(Display::new(terminal.clone(), move || size));
        let show = |seconds| {
            let later = Instant::now() + Duration::from_secs(seconds);
            display.show(&display.activities(), later);
        };
        let layer = Bars::new(Arc::clone(&display));
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            let run = |name: &str| {
                let span = tracing::info_span!(target: "hype::test", "run", closure = "of", run = name, attempt = Empty);
                // The name of an attached run's closure is recorded later.
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
