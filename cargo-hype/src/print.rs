//! The standard output, whose reader may have read enough.

use std::io::{self, BufWriter, ErrorKind, Write};

use hype::component::EncodedValue;

use crate::error::{Error, Result};
use crate::json;

/// Prints `line`.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn print_line(line: &str) -> Result<()> {
    written(writeln!(io::stdout(), "{line}"))
}

/// Prints a value as JSON on one line, and warns of what JSON cannot say.
///
/// # Errors
///
/// When it has no form in JSON, or cannot be written.
pub(crate) fn print_value(EncodedValue(value): &EncodedValue) -> Result<()> {
    let survey = json::survey(value).map_err(|problem| {
        Error::input(format!("the value {problem}")).hint("a program gets it by hype::submit")
    })?;
    let mut out = BufWriter::new(io::stdout().lock());
    let all = json::write(value, &survey, &mut out).and_then(|()| out.write_all(b"\n"));
    written(all.and_then(|()| out.flush()))?;
    if let Some(warning) = survey.warning() {
        eprintln!("warning: {warning}");
    }
    Ok(())
}

fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::machinery("cannot write to the standard output").because(error))
        }
        _ => Ok(()),
    }
}
