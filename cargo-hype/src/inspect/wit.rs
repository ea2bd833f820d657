//! Functions with WIT types.

use std::sync::Arc;

use hype::component::WitFunction;
use serde_json::{Value, json};

use crate::inspect::{WIDTH, wrapped};

/// Returns the functions as WIT, those of an interface together, with their comments.
pub(super) fn as_text(functions: &[Arc<WitFunction>]) -> String {
    let interfaces = functions.chunk_by(|one, other| one.interface == other.interface);
    let interfaces = interfaces.map(|functions| {
        let heading = functions.first().and_then(|function| function.interface.as_deref());
        let heading = heading.map(|name| format!("  interface {name}\n")).unwrap_or_default();
        let functions: Vec<_> =
            functions.iter().map(|function| function_as_text(function)).collect();
        format!("{heading}{}", functions.join("\n"))
    });
    format!("Functions with WIT types:\n\n{}", interfaces.collect::<Vec<_>>().join("\n\n"))
}

fn function_as_text(function: &WitFunction) -> String {
    let refusal = function.refusal.as_ref();
    let refusal = refusal.map(|reason| format!("  // can't be called: {reason}"));
    let mut text = format!("  {}{}", signature(function), refusal.unwrap_or_default());
    let lines = function.docs.lines().map(str::trim).skip_while(|line| line.is_empty());
    let first_paragraph = lines.take_while(|line| !line.is_empty());
    let docs: Vec<_> = first_paragraph.collect();
    for line in wrapped(&docs.join(" "), WIDTH - 6) {
        text.push_str(&format!("\n      {line}"));
    }
    text
}

/// Returns the signature, with one line for each parameter if it is too long for one line.
fn signature(function: &WitFunction) -> String {
    let line = format!("{function};");
    if line.chars().count() <= WIDTH - 2 || function.parameters.is_empty() {
        return line;
    }
    let parameters = function.parameters.iter();
    let parameters: String =
        parameters.map(|(name, of)| format!("\n      {name}: {of},")).collect();
    let result = function.result.as_ref().map(|of| format!(" -> {of}")).unwrap_or_default();
    format!("{}: func({parameters}\n  ){result};", function.name)
}

pub(super) fn as_json(function: &WitFunction) -> Value {
    let parameters = function.parameters.iter();
    let parameters: Vec<_> =
        parameters.map(|(name, of)| json!({ "name": name, "type": of.to_string() })).collect();
    json!({
        "name": function.reference().to_string(),
        "interface": function.interface,
        "function": function.name,
        "parameters": parameters,
        "result": function.result.as_ref().map(ToString::to_string),
        "docs": function.docs,
        "refusal": function.refusal,
    })
}
