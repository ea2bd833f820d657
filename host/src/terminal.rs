//! The one way to the standard error, which what a program says shares with bars.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use indicatif::MultiProgress;

/// The bars of this program, if it has any.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Whether bars can be drawn: on a terminal that can move its cursor.
pub(crate) fn can_draw() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && !is_dumb
}

/// Makes all that is said appear above `bars` from now on, what the program says of a panic too.
pub(crate) fn share_with(bars: MultiProgress) {
    if BARS.set(bars).is_ok() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| without_bars(|| hook(panic))));
    }
}

/// Writes `text`, which ends a line, to the standard error.
pub(crate) fn say(text: &str) {
    // What nobody can read is no reason to stop.
    without_bars(|| drop(std::io::stderr().write_all(text.as_bytes())));
}

/// Takes the bars away while `work` writes.
pub(crate) fn without_bars<T>(work: impl FnOnce() -> T) -> T {
    match BARS.get() {
        Some(bars) => bars.suspend(work),
        None => work(),
    }
}
