//! Describes a component without running it.

mod wit;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use bytesize::ByteSize;
use clap::Args;
use hype::Component;
use hype::component::{Function, PowerImport, WitFunction};
use hype::runner::CommandRoom;
use serde_json::{Value, json};

use crate::call::open;
use crate::error::Result;

/// The maximum width of a line of readable output, in characters.
const WIDTH: usize = 80;

/// The component to inspect, and the output format.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo hype inspect target/hype/hello.wasm")]
pub struct InspectOptions {
    /// The component, a .wasm file
    component: PathBuf,
    /// Print one JSON object instead
    #[arg(long)]
    pub(crate) json: bool,
}

/// Returns a description of the component, as readable text or as JSON.
///
/// # Errors
///
/// If the file doesn't exist, or isn't a component.
pub fn inspect(options: &InspectOptions) -> Result<String> {
    let component = open(&options.component)?;
    Ok(if options.json { format!("{:#}", as_json(&component)?) } else { as_text(&component)? })
}

fn as_json(component: &Component) -> Result<Value> {
    let exported = component.wit_functions()?.iter();
    let exported: Vec<_> = exported.map(|function| wit::as_json(function)).collect();
    let functions: Vec<_> = component.functions().iter().map(function_as_json).collect();
    let powers: Vec<_> = component.powers().map(power_as_json).collect();
    Ok(json!({
        "name": component.name(),
        "size": component.bytes().len(),
        "digest": component.digest().to_string(),
        "functions": functions,
        "wit-functions": exported,
        "imports": component.imports(),
        "powers": powers,
        "exports": component.exports(),
        "command-room": runs_commands(component).then(room_as_json),
    }))
}

/// Returns whether the component runs commands, where its environment grants them.
fn runs_commands(component: &Component) -> bool {
    component.powers().any(|power| power.granted_by == "RunEnvironment::allow_command")
}

/// Returns what the room for commands on this machine has and lacks.
fn room_as_json() -> Value {
    let CommandRoom { refusal, is_nobodys, has_proc, has_memory_group, landlock, .. } =
        CommandRoom::of_this_machine();
    json!({
        "refusal": refusal.map(|refusal| refusal.to_string()),
        "nobody": is_nobodys,
        "proc": has_proc,
        "landlock": landlock,
        "memory-group": has_memory_group,
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

fn as_text(component: &Component) -> Result<String> {
    let size = ByteSize(component.bytes().len() as u64);
    let head = format!(
        "{}: {size}, digest {}, for any machine",
        component.name(),
        component.digest().short()
    );
    let parts = [
        head,
        functions(component.functions(), component.wit_functions()?),
        list("Imports", &imports(component)),
        list("Exports", component.exports()),
    ];
    let room = runs_commands(component)
        .then(|| format!("Its commands' room on this machine: {}", CommandRoom::of_this_machine()));
    Ok(parts.into_iter().chain(room).collect::<Vec<_>>().join("\n\n"))
}

/// Returns the imports, each with the setting that grants it if it needs a power.
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

fn functions(functions: &[Function], exported: &[Arc<WitFunction>]) -> String {
    match (functions, exported) {
        ([], [_, ..]) => wit::as_text(exported),
        (_, []) => closures(functions),
        _ => format!("{}\n\n{}", closures(functions), wit::as_text(exported)),
    }
}

fn closures(functions: &[Function]) -> String {
    if functions.is_empty() {
        return "Functions: unknown, since the component wasn't built with hype's SDK".into();
    }
    let sdks: BTreeSet<_> = functions.iter().map(|function| function.sdk.as_str()).collect();
    let sdks: Vec<_> = sdks.into_iter().collect();
    // File names are relative to the package.
    let mut functions: Vec<_> = functions.iter().collect();
    functions.sort_by_key(|function| &function.package);
    let functions: Vec<_> = functions.into_iter().map(function_as_text).collect();
    format!("Functions, built with the SDK {}:\n\n{}", sdks.join(", "), functions.join("\n\n"))
}

fn function_as_text(function: &Function) -> String {
    let mut text = format!("  {}", signature(function));
    let docs: Vec<_> =
        function.docs.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    for line in wrapped(&docs.join(" "), WIDTH - 6) {
        text.push_str(&format!("\n      {line}"));
    }
    let Function { package, file, line, .. } = function;
    format!("{text}\n      {package}, {file}:{line}")
}

/// Returns the signature as in the source, with one line for each parameter if it is too long for one line.
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

/// Wraps `text` into lines of at most `width` characters; a longer word gets its own line.
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
    fn function_text_has_signature_docs_and_location() {
        assert_eq!(
            function_as_text(&function(1)),
            "  train(weights: HashMap<String, f64>)\n      \
             Trains, which takes a while, and writes what it has learned into a file\n      \
             that the next one reads.\n      \
             model, src/lib.rs:7"
        );
    }

    #[test]
    fn long_signature_has_one_line_for_each_parameter() {
        let parameter = "\n      weights: HashMap<String, f64>,";
        assert_eq!(signature(&function(3)), format!("train({}\n  )", parameter.repeat(3)));
    }
}
