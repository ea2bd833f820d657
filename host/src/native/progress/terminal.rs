//! The only way of the library to the standard error, which messages share with bars.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use hype_wire::printable;

use crate::progress::Display;

/// The terminal of this program, if bars are drawn on it.
static DISPLAY: OnceLock<Arc<Display>> = OnceLock::new();

/// Returns whether bars can be drawn, which takes a terminal with cursor movement.
pub(crate) fn can_draw() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stderr().is_terminal() && !is_dumb
}

/// Sends all messages through `display` from now on. A panic erases the bars, since it may end the program.
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

/// Writes `text`, which must end with a line feed, to the standard error, without characters that a terminal acts on.
pub(crate) fn write(text: &str) {
    match DISPLAY.get() {
        Some(display) => display.write(&printable(text)),
        None => write_past_display(text),
    }
}

/// Does the same while the display may be locked, as in a panic.
pub(crate) fn write_past_display(text: &str) {
    // A closed standard error must not stop the program.
    let _ = std::io::stderr().write_all(printable(text).as_bytes());
}

/// Erases the bars permanently, before the program ends.
pub(crate) fn close() {
    if let Some(display) = DISPLAY.get() {
        display.close();
    }
}
