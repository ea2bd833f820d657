//! Measures hype and its peers alternately in one run, and prints the ratios and goals:
//! `cargo run --release -p benches -- [NAME...]`. `benches/README.md` describes each benchmark.

mod alternate;
mod bytes;
mod calls;
mod child;
mod compute;
mod guest;
mod guests;
mod install;
mod map;
mod native;
mod ours;
mod peers;
mod process;
mod python;
mod spawn;
mod staged;
mod start;
mod submit;
mod table;
mod typed;
mod values;

use std::process::ExitCode;

use anyhow::Context;

use crate::ours::Ours;
use crate::table::Row;

type Benchmark = fn(&Ours) -> anyhow::Result<Vec<Row>>;

/// The benchmarks that run without names, in this order.
const ALL: &[(&str, Benchmark)] = &[
    ("start", start::measure),
    ("calls", calls::measure),
    ("bytes", bytes::measure),
    ("values", values::measure),
    ("typed", typed::measure),
    ("submit", submit::measure),
    ("map", map::measure),
    ("spawn", spawn::measure),
    ("compute", compute::measure),
    ("python", python::measure),
    ("peers", peers::measure),
];

/// The benchmarks that run only by name.
const BY_NAME: &[(&str, Benchmark)] = &[("guests", guests::measure)];

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, rest @ ..] = arguments.as_slice()
        && flag == child::FLAG
    {
        return child::run(name, rest).map(|()| ExitCode::SUCCESS);
    }
    let chosen = choose(&arguments)?;
    let ours = Ours::build().context("cannot build the measured programs")?;
    let (mut rows, mut failed) = (Vec::new(), false);
    for (name, benchmark) in chosen {
        eprintln!("benches: {name}");
        match benchmark(&ours) {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("error: cannot measure `{name}`: {error:#}");
                failed = true;
            }
        }
    }
    table::print(&rows);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn choose(names: &[String]) -> anyhow::Result<Vec<(&'static str, Benchmark)>> {
    if names.is_empty() {
        return Ok(ALL.to_vec());
    }
    let find = |name: &String| {
        let found = ALL.iter().chain(BY_NAME).find(|(known, _)| known == name).copied();
        found.with_context(|| {
            let known: Vec<_> = ALL.iter().chain(BY_NAME).map(|(known, _)| *known).collect();
            format!("there is no benchmark `{name}`; there are: {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}
