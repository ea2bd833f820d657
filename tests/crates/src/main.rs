//! Builds and runs closures that use crates, and compares the results with the recorded ones.
//!
//! `tests/crates/run` starts this program. Each entry whose result matches gets the current month, and
//! docs/crates.md is written again.

mod catalogue;
mod check;
mod package;
mod record;
mod table;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use catalogue::{Entry, Section};
use check::{Checked, Options, Paths};

/// An error that ends the program.
type Problem = Box<dyn std::error::Error>;

const USAGE: &str =
    "usage: tests/crates/run [--newest] [--unchecked] [--timeout SECONDS] [CRATE..] | --table
  --newest     check each crate's newest version, and record it if the result matches
  --unchecked  check only crates that no check has matched yet
  --timeout    the timeout of each build and each call (480)
  --table      write docs/crates.md from the recorded results, and check nothing";

/// The default timeout of a step, in seconds.
const TIMEOUT_SECONDS: u64 = 480;

struct Arguments {
    names: BTreeSet<String>,
    options: Options,
    unchecked: bool,
    table: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Runs the command line. Returns whether all results match the recorded ones.
fn run() -> Result<bool, Problem> {
    let arguments = parse_arguments(std::env::args().skip(1))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let here = root.join("tests/crates");
    let catalogue = here.join("catalogue");
    let sections = catalogue::read(&catalogue)?;
    if arguments.table {
        record::write_page(&root, &sections)?;
        return Ok(true);
    }
    let paths = Paths {
        cargo_hype: path_variable("CARGO_HYPE")?,
        host: root.join("host"),
        work: path_variable("WORK")?,
    };
    let mut chosen = choose(&sections, &arguments.names)?;
    chosen.retain(|entry| !arguments.unchecked || entry.checked.is_none());
    let stamp = record::stamp(&root)?;
    let mut differing = Vec::new();
    for entry in &chosen {
        let start = Instant::now();
        let checked = check::check(&paths, entry, &arguments.options)?;
        report(entry, &checked, start.elapsed().as_secs());
        match (&checked.difference, &checked.version) {
            (None, Some(version)) => record::update(&catalogue, entry, version, &stamp.month)?,
            _ => differing.push(entry.name.as_str()),
        }
    }
    eprintln!("{} as recorded, {} differ", chosen.len() - differing.len(), differing.len());
    if differing.len() < chosen.len() {
        record::write_stamp(&root, &stamp)?;
        record::write_page(&root, &catalogue::read(&catalogue)?)?;
    }
    if !differing.is_empty() {
        eprintln!("these differ: {}", differing.join(" "));
    }
    Ok(differing.is_empty())
}

fn report(entry: &Entry, checked: &Checked, seconds: u64) {
    let version = checked.version.as_deref().unwrap_or("?");
    let name = &entry.name;
    match &checked.difference {
        None => eprintln!("{name} {version}: as recorded ({seconds} s)"),
        Some(difference) => {
            let log = checked.log.display();
            eprintln!("{name} {version}: DIFFERS: {difference} ({seconds} s; {log})");
        }
    }
}

/// Returns the entries with these names, or all of them.
fn choose<'a>(
    sections: &'a [Section],
    names: &BTreeSet<String>,
) -> Result<Vec<&'a Entry>, Problem> {
    let all: Vec<_> = sections.iter().flat_map(|section| &section.crates).collect();
    let known: BTreeSet<_> = all.iter().map(|entry| entry.name.as_str()).collect();
    if known.len() < all.len() {
        return Err("a crate is in the catalogue twice".into());
    }
    if let Some(name) = names.iter().find(|name| !known.contains(name.as_str())) {
        return Err(format!("the catalogue has no crate `{name}`").into());
    }
    Ok(all.into_iter().filter(|entry| names.is_empty() || names.contains(&entry.name)).collect())
}

fn parse_arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments, Problem> {
    let options = Options { newest: false, seconds: TIMEOUT_SECONDS };
    let mut arguments =
        Arguments { names: BTreeSet::new(), options, unchecked: false, table: false };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--newest" => arguments.options.newest = true,
            "--unchecked" => arguments.unchecked = true,
            "--table" => arguments.table = true,
            "--timeout" => {
                let seconds = words.next().and_then(|word| word.parse().ok());
                arguments.options.seconds = seconds.ok_or(USAGE)?;
            }
            option if option.starts_with('-') => return Err(USAGE.into()),
            _ => {
                arguments.names.insert(word);
            }
        }
    }
    Ok(arguments)
}

/// Returns a path that the script `tests/crates/run` sets.
fn path_variable(name: &str) -> Result<PathBuf, Problem> {
    let value = std::env::var_os(name).map(PathBuf::from);
    value.ok_or_else(|| format!("{name} is not set: run tests/crates/run").into())
}
