//! Output of panics whose message contains the report of an error.

use std::panic::PanicHookInfo;

use hype_wire::BACKTRACE;

use crate::progress::terminal;

/// Installs a panic hook that omits std's note about `RUST_BACKTRACE` if the message contains the backtrace of a
/// closure. The note would suggest that there is no backtrace yet.
pub(crate) fn write_without_note() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| match text(panic) {
        Some(text) if !is_backtrace_wanted() => terminal::write_past_display(&text),
        _ => hook(panic),
    }));
}

/// Returns whether std writes a backtrace of the program instead of the note.
fn is_backtrace_wanted() -> bool {
    std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0")
}

/// Returns the text that std writes for a panic, without the note, if the message contains the backtrace of a closure.
fn text(panic: &PanicHookInfo<'_>) -> Option<String> {
    let message = panic.payload_as_str().filter(|message| message.contains(BACKTRACE))?;
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let location = panic.location()?;
    Some(format!("\nthread '{name}' panicked at {location}:\n{message}\n"))
}
