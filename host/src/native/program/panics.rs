//! Panics of a program that carry the report of an error.

use std::io::Write;
use std::panic::PanicHookInfo;

use hype_wire::BACKTRACE;

/// Writes a panic whose message has the backtrace of a closure without the note that std ends it with. That tells how to
/// get a backtrace of the program, where there is one of the closure already.
pub(crate) fn write_without_note() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| match text(panic) {
        // What nobody can read is no reason to do anything else.
        Some(text) if !is_backtrace_wanted() => drop(std::io::stderr().write_all(text.as_bytes())),
        _ => hook(panic),
    }));
}

/// Whether std writes a backtrace of the program, and no note.
fn is_backtrace_wanted() -> bool {
    std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0")
}

/// What std writes of a panic, if its message has the backtrace of a closure.
fn text(panic: &PanicHookInfo<'_>) -> Option<String> {
    let message = panic.payload_as_str().filter(|message| message.contains(BACKTRACE))?;
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let location = panic.location()?;
    Some(format!("\nthread '{name}' panicked at {location}:\n{message}\n"))
}
