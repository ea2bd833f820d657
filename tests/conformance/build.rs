//! Generates the list of cases for `conformance::suite!`: each function `pub async fn NAME(submitter: &Submitter)` of
//! a module in `src/cases`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const CASES: &str = "src/cases";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={CASES}");
    let entries = fs::read_dir(CASES)?.map(|entry| Ok(entry?.path()));
    let mut modules = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    modules.sort();
    let mut list = String::new();
    for module in modules {
        let text = fs::read_to_string(&module)?;
        let name = module.file_stem().unwrap_or_default().display();
        let _ = writeln!(list, "{name} {{ {} }}", cases(&text).collect::<Vec<_>>().join(" "));
    }
    let directory = env::var_os("OUT_DIR").unwrap_or_default();
    let list = format!(
        "#[doc(hidden)] #[macro_export] macro_rules! with_cases {{\n\
         ($($suite:tt)*) => {{ $crate::suite! {{ @ $($suite)*;\n{list}}} }};\n}}\n"
    );
    fs::write(Path::new(&directory).join("cases.rs"), list)
}

/// Returns the names of the functions that take only a submitter. Functions with more parameters are helpers.
fn cases(module: &str) -> impl Iterator<Item = &str> {
    module.split("\npub async fn ").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once('(')?;
        let (parameters, _) = rest.split_once(')')?;
        (parameters.trim().trim_end_matches(',') == "submitter: &Submitter").then_some(name)
    })
}
