//! What a component is, told without running it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;
use hype::Component;
use hype::component::{Function, PowerImport};
use serde_json::{Value, json};

use crate::call::open;
use crate::error::Result;

/// How many columns a line for people has.
const WIDTH: usize = 80;

/// What to inspect, and how to tell it.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo hype inspect target/hype/hello.wasm")]
pub struct InspectOptions {
    /// The component, a .wasm file
    component: PathBuf,
    /// Print one JSON object instead
    #[arg(long)]
    json: bool,
}

/// What is to be known of the component, for people or as JSON.
///
/// # Errors
///
/// When it isn't there, or isn't a component.
pub fn inspect(options: &InspectOptions) -> Result<String> {
    let component = open(&options.component)?;
    Ok(if options.json { format!("{:#}", as_json(&component)) } else { for_people(&component) })
}

fn as_json(component: &Component) -> Value {
    let functions: Vec<_> = component.functions().iter().map(function_as_json).collect();
    let powers: Vec<_> = component.powers().map(power_as_json).collect();
    json!({
        "name": component.name(),
        "size": component.bytes().len(),
        "digest": component.digest().to_string(),
        "functions": functions,
        "imports": component.imports(),
        "powers": powers,
        "exports": component.exports(),
    })
}

fn power_as_json(power: PowerImport<'_>) -> Value {
    let PowerImport { import, granted_by, warning } = power;
    json!({ "import": import, "granted-by": granted_by, "warning": warning })
}

fn function_as_json(function: &Function) -> Value {
    let parameters = function.parameters.iter();
    let parameters: Vec<_> = parameters
        .map(
            |parameter| json!({ "name": parameter.name, "type": parameter.value_type.to_string() }),
        )
        .collect();
    json!({
        "name": function.name,
        "package": function.package,
        "parameters": parameters,
        "result": function.result.to_string(),
        "docs": function.docs,
        "file": function.file,
        "line": function.line,
        "sdk": function.sdk,
    })
}

fn for_people(component: &Component) -> String {
    let size = ByteSize(component.bytes().len() as u64);
    let head = format!(
        "{}: {size}, digest {}, for any machine",
        component.name(),
        component.digest().short()
    );
    let parts = [
        head,
        functions(component.functions()),
        list("Imports", &imports(component)),
        list("Exports", component.exports()),
    ];
    parts.join("\n\n")
}

/// What it imports, and where that takes a power, what grants it.
fn imports(component: &Component) -> Vec<String> {
    let granted = |import: &String| match component.powers().find(|power| power.import == import) {
        Some(PowerImport { granted_by, warning, .. }) => {
            let warning = warning.map(|warning| format!("; {warning}")).unwrap_or_default();
            format!("{import}, granted by {granted_by}{warning}")
        }
        None => import.clone(),
    };
    component.imports().iter().map(granted).collect()
}

fn functions(functions: &[Function]) -> String {
    if functions.is_empty() {
        return "It doesn't say which functions it has: it wasn't written with hype's SDK.".into();
    }
    let sdks: BTreeSet<_> = functions.iter().map(|function| function.sdk.as_str()).collect();
    let sdks: Vec<_> = sdks.into_iter().collect();
    // Files are named within their packages.
    let mut functions: Vec<_> = functions.iter().collect();
    functions.sort_by_key(|function| &function.package);
    let functions: Vec<_> = functions.into_iter().map(function_for_people).collect();
    format!("Functions, by the SDK {}:\n\n{}", sdks.join(", "), functions.join("\n\n"))
}

fn function_for_people(function: &Function) -> String {
    let mut text = format!("  {}", signature(function));
    let docs: Vec<_> =
        function.docs.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    for line in wrapped(&docs.join(" "), WIDTH - 6) {
        text.push_str(&format!("\n      {line}"));
    }
    let Function { package, file, line, .. } = function;
    format!("{text}\n      {package}, {file}:{line}")
}

/// As in the sources, with a line for each parameter where it is too long.
fn signature(function: &Function) -> String {
    let line = function.to_string();
    if line.chars().count() <= WIDTH - 2 || function.parameters.is_empty() {
        return line;
    }
    let mut text = format!("{}(", function.name);
    for parameter in &function.parameters {
        text.push_str(&format!("\n      {}: {},", parameter.name, parameter.value_type));
    }
    text.push_str("\n  )");
    if !function.result.is_unit() {
        text.push_str(&format!(" -> {}", function.result));
    }
    text
}

/// The words of `text` in lines of at most `width` characters, where the words allow it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let length = word.chars().count();
        match lines.last_mut().filter(|line| line.chars().count() + 1 + length <= width) {
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn list(heading: &str, names: &[String]) -> String {
    if names.is_empty() {
        return format!("{heading}: none");
    }
    format!("{heading}:\n  {}", names.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hype::component::{Parameter, ValueType};

    fn function(parameters: usize) -> Function {
        let parameter = Parameter {
            name: "weights".into(),
            value_type: ValueType::Rust("HashMap<String, f64>".into()),
        };
        Function {
            sdk: "0.1.0".into(),
            package: "model".into(),
            name: "train".into(),
            file: "src/lib.rs".into(),
            line: 7,
            docs: "Trains, which takes a while, and writes what it\nhas learned into a file that \
                   the next one reads.\n\nNot this."
                .into(),
            parameters: vec![parameter; parameters],
            result: ValueType::Rust("()".into()),
        }
    }

    #[test]
    fn a_function_has_its_signature_docs_and_place() {
        assert_eq!(
            function_for_people(&function(1)),
            "  train(weights: HashMap<String, f64>)\n      \
             Trains, which takes a while, and writes what it has learned into a file\n      \
             that the next one reads.\n      \
             model, src/lib.rs:7"
        );
    }

    #[test]
    fn a_long_signature_has_a_line_for_each_parameter() {
        let parameter = "\n      weights: HashMap<String, f64>,";
        assert_eq!(signature(&function(3)), format!("train({}\n  )", parameter.repeat(3)));
    }
}
