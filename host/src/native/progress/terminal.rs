//! The one way to the standard error, which what a program says shares with bars.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use crate::progress::Display;

/// The terminal of this program, if bars are drawn on it.
static DISPLAY: OnceLock<Arc<Display>> = OnceLock::new();

/// Whether bars can be drawn: on a terminal that can move its cursor.
pub(crate) fn can_draw() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && !is_dumb
}

/// Makes all that is said appear on `display` from now on. A panic, which may end the program, takes the bars away.
pub(crate) fn share_with(display: Arc<Display>) {
    if DISPLAY.set(display).is_ok() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if let Some(display) = DISPLAY.get() {
                display.try_clear();
            }
            hook(panic);
        }));
    }
}

/// Writes `text`, which ends a line, to the standard error.
pub(crate) fn say(text: &str) {
    match DISPLAY.get() {
        Some(display) => display.write(text),
        // What nobody can read is no reason to stop.
        None => drop(std::io::stderr().write_all(text.as_bytes())),
    }
}

/// Takes the bars away for good, before the program ends.
pub(crate) fn close() {
    if let Some(display) = DISPLAY.get() {
        display.close();
    }
}
