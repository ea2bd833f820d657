//! Lines about components and programs that were built.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::build::Built;
use crate::error::Result;
use crate::print::{print_json, print_note};
use crate::program::Program;

/// The format of the lines about built files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum MessageFormat {
    /// A readable line, on standard error
    Human,
    /// A line of JSON, on standard output
    Json,
}

/// Prints one line for each built file: of each pair, the readable line or the line of JSON.
pub(super) fn print_built(
    format: MessageFormat,
    mut lines: impl Iterator<Item = (String, String)>,
) -> Result<ExitCode> {
    lines.try_for_each(|(line, json)| match format {
        MessageFormat::Human => {
            print_note(line);
            Ok(())
        }
        MessageFormat::Json => print_json(&json),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the readable line and the line of JSON of a component.
pub(super) fn component_lines(built: &Built) -> (String, String) {
    (component_line(built), component_json(built))
}

fn component_line(built: &Built) -> String {
    let names = function_names(built);
    let functions = match names.as_slice() {
        // Its only function is that of `wasi:cli/run`.
        [_] if built.is_program => "a program".to_owned(),
        [one] => format!("1 function: {one}"),
        several => format!("{} functions: {}", several.len(), several.join(", ")),
    };
    let size = bytesize::ByteSize(built.size);
    let verb = if built.fresh { "Unchanged" } else { "Component" };
    format!("{verb:>12} {} ({size}, {functions})", built.path.display())
}

fn function_names(built: &Built) -> Vec<&str> {
    let closures = built.functions.iter().map(|function| function.name.as_str());
    closures.chain(built.wit_functions.iter().map(String::as_str)).collect()
}

fn component_json(built: &Built) -> String {
    serde_json::json!({
        "reason": "hype-component",
        "package": built.package,
        "path": built.path,
        "digest": built.digest.to_string(),
        "size": built.size,
        "functions": function_names(built),
        "fresh": built.fresh,
    })
    .to_string()
}

/// Returns the readable line and the line of JSON of a program, which has `components` inside.
pub(super) fn program_lines(program: &Program, components: &[Built]) -> (String, String) {
    (program_line(program), program_json(program, components))
}

fn program_line(program: &Program) -> String {
    format!("{:>12} {}, with its components inside", "Program", program.path.display())
}

fn program_json(program: &Program, components: &[Built]) -> String {
    serde_json::json!({
        "reason": "hype-program",
        "name": program.name,
        "path": program.path,
        "components": components.iter().map(|built| &built.package).collect::<Vec<_>>(),
    })
    .to_string()
}
