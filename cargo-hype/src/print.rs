//! The only way from this program to its standard output and standard error.
//!
//! Text is printed without characters that a terminal acts on, since names and messages come from components, guests and
//! stages. JSON has these characters as escapes. Only the bytes of a program that `exec` runs are written as they are.
//! tests/tidy checks that nothing else prints. A closed output is not an
//! error: its reader has read enough.

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::Stdio;

use console::{Term, measure_text_width};
use hype::__internal::printable;
use hype::component::EncodedValue;
use hype::run::LogStream;

use crate::color::{self, Color};
use crate::error::{Error, Result};
use crate::json;

/// Prints a line of text to standard output.
///
/// # Errors
///
/// If standard output cannot be written, other than because it is closed.
pub(crate) fn print_line(line: &str) -> Result<()> {
    ignore_closed(writeln!(io::stdout(), "{}", printable(line)))
}

/// Prints a line of text to standard error.
pub(crate) fn print_note(line: impl fmt::Display) {
    // A closed standard error must not fail the command.
    let _ = writeln!(io::stderr(), "{}", printable(&line.to_string()));
}

/// Prints a line of a stream to standard output. Breaks if standard output is closed.
///
/// # Errors
///
/// If standard output cannot be written, other than because it is closed.
pub(crate) fn stream_line(line: &str) -> Result<ControlFlow<()>> {
    break_if_closed(writeln!(io::stdout(), "{}", printable(line)))
}

/// Prints a line of a stream to standard error. Breaks if standard error is closed. Other errors are ignored.
pub(crate) fn stream_note(line: &str) -> ControlFlow<()> {
    break_if_closed(writeln!(io::stderr(), "{}", printable(line)))
        .unwrap_or(ControlFlow::Continue(()))
}

/// Prints a JSON text of a stream to standard output. Breaks if standard output is closed.
///
/// # Errors
///
/// If standard output cannot be written, other than because it is closed.
pub(crate) fn stream_json(json: &str) -> Result<ControlFlow<()>> {
    break_if_closed(writeln!(io::stdout(), "{}", json::escaped(json)))
}

/// Returns standard error, for the standard output of a tool that the user chose. This program's own standard output may
/// be read by another program.
pub(crate) fn output_of_tool() -> Stdio {
    io::stderr().into()
}

/// Prints an error, after a coloured `error:`.
pub(crate) fn print_error(report: &str) {
    let mut stderr = io::stderr();
    let label = if color::is_on(&stderr) { Color::Red.paint("error:") } else { "error:".into() };
    // A closed standard error must not fail the command.
    let _ = writeln!(stderr, "{label} {}", printable(report));
}

/// Prints a paragraph to standard output: `label` in `color` in the first column, and `text` beside it. On a terminal,
/// the lines of `text` are broken at its width and stay in their column.
///
/// # Errors
///
/// If standard output cannot be written, other than because it is closed.
pub(crate) fn print_paragraph(color: Option<Color>, label: &str, text: &str) -> Result<()> {
    let mut stdout = io::stdout();
    let padded = format!("{label:<LABEL_WIDTH$}");
    let label = match color {
        Some(color) if color::is_on(&stdout) => color.paint(&padded),
        _ => padded,
    };
    let width = terminal_width().map(|columns| columns.saturating_sub(LABEL_WIDTH));
    let lines = wrap(&printable(text), width);
    let indent = format!("\n{:LABEL_WIDTH$}", "");
    ignore_closed(writeln!(stdout, "{label}{}", lines.join(&indent)))
}

/// Returns the number of columns of standard output, if it is a terminal.
pub(crate) fn terminal_width() -> Option<usize> {
    let size = io::stdout().is_terminal().then(|| Term::stdout().size_checked()).flatten();
    size.map(|(_, columns)| usize::from(columns))
}

/// The width of the first column of paragraphs.
const LABEL_WIDTH: usize = 9;

/// Breaks `text` between words into lines of at most `width` columns, if a word fits.
fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.filter(|width| *width > 0) else { return vec![text.to_owned()] };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or("", String::as_str);
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || measure_text_width(&joined) <= width {
            lines.pop();
            lines.push(joined);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Prints what cargo or the compiler rendered to standard error, with its colours.
pub(crate) fn print_rendered(text: &str) {
    // A closed standard error must not fail the build.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Returns standard output, for text that is JSON.
pub(crate) fn json_output() -> impl Write {
    io::stdout()
}

/// Prints JSON text to standard output.
///
/// # Errors
///
/// If standard output cannot be written, other than because it is closed.
pub(crate) fn print_json(json: &str) -> Result<()> {
    ignore_closed(writeln!(io::stdout(), "{}", json::escaped(json)))
}

/// Prints a value as JSON on one line, and warns of numbers that JSON doesn't have.
///
/// # Errors
///
/// If the value has no form in JSON, or standard output cannot be written, other than because it is closed.
pub(crate) fn print_value(EncodedValue(value): &EncodedValue) -> Result<()> {
    let survey = json::survey(value).map_err(|problem| {
        Error::input(format!("the value {problem}"))
            .hint("call the function from a program instead, with hype::submit")
    })?;
    let mut out = BufWriter::new(io::stdout().lock());
    let all = json::write(value, &survey, &mut out).and_then(|()| out.write_all(b"\n"));
    ignore_closed(all.and_then(|()| out.flush()))?;
    if let Some(warning) = survey.warning() {
        print_note(format!("warning: {warning}"));
    }
    Ok(())
}

/// Returns whether a stream of this process is a terminal.
pub(crate) fn is_terminal(stream: LogStream) -> bool {
    match stream {
        LogStream::Stdout => io::stdout().is_terminal(),
        LogStream::Stderr => io::stderr().is_terminal(),
    }
}

/// Writes bytes of a program to a stream, as they are.
pub(crate) fn write_bytes(stream: LogStream, bytes: &[u8]) -> io::Result<()> {
    match stream {
        LogStream::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes)?;
            stdout.flush()
        }
        LogStream::Stderr => io::stderr().write_all(bytes),
    }
}

/// Blocks this thread until the reader of standard output closes it. Returns whether the reader has: some kinds of output
/// can't be watched.
#[cfg(unix)]
pub(crate) fn wait_for_closed_stdout() -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let stdout = io::stdout();
    loop {
        let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
        match poll(&mut polled, None) {
            Ok(_) => return polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn ignore_closed(result: io::Result<()>) -> Result<()> {
    break_if_closed(result).map(|_| ())
}

fn break_if_closed(result: io::Result<()>) -> Result<ControlFlow<()>> {
    break_if_reader_left("standard output", result)
}

/// Breaks if the reader of a pipe has closed it.
///
/// # Errors
///
/// If `name` cannot be written for another reason.
pub(crate) fn break_if_reader_left(name: &str, result: io::Result<()>) -> Result<ControlFlow<()>> {
    match result {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(Error::machinery(format!("cannot write to {name}")).because(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn text_is_broken_between_words() {
        let text = "docker daemon: cannot reach /var/run/docker.sock";
        assert_eq!(wrap(text, None), [text]);
        assert_eq!(
            wrap(text, Some(22)),
            ["docker daemon: cannot", "reach", "/var/run/docker.sock"]
        );
        assert_eq!(wrap("a-long-word b", Some(4)), ["a-long-word", "b"]);
    }
}
