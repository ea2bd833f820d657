//! A program that is built without hype, for tests of whole programs. Its first argument selects its action.

use std::io::{self, Read, Write};
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |index: usize| arguments.get(index).map_or("", String::as_str);
    let number = || argument(2).parse::<usize>().unwrap_or_default();
    match argument(1) {
        "arguments" => {
            writeln!(io::stdout(), "{arguments:?}")?;
            writeln!(io::stderr(), "{} arguments", arguments.len())?;
        }
        "copy" => drop(io::copy(&mut io::stdin(), &mut io::stdout())?),
        "upper" => {
            let mut input = String::new();
            io::stdin().read_to_string(&mut input)?;
            write!(io::stdout(), "{}", input.to_uppercase())?;
        }
        "bytes" => {
            io::stdout().write_all(&bytes(number()))?;
            io::stderr().write_all(b"no line feed")?;
        }
        "read" => io::stdout().write_all(&std::fs::read(argument(2))?)?,
        "variable" => write!(io::stdout(), "{}", std::env::var(argument(2)).unwrap_or_default())?,
        "exit" => {
            write!(io::stdout(), "output")?;
            std::process::exit(number().try_into().unwrap_or(i32::MAX));
        }
        "abort" => {
            writeln!(io::stdout(), "output")?;
            std::process::abort();
        }
        "flood" => loop {
            io::stdout().write_all(&[b'y'; 1 << 16])?;
        },
        _ => return Ok(ExitCode::FAILURE),
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns bytes of every value, among them marks of hype's own logs.
fn bytes(length: usize) -> Vec<u8> {
    let pattern = "\u{2063}one\r\n\n\0\u{1b}[31m".bytes().chain(0..=255);
    pattern.cycle().take(length).collect()
}
