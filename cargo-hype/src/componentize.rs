//! From a core module to a component, and what it says of its functions.

use std::collections::HashMap;

use hype::{Component, Function};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

use crate::error::{Error, Result};
use crate::refusal::PAGE;

type Unencodable = Box<dyn std::error::Error + Send + Sync>;

/// How the encoder says what is imported and from nowhere, up to the quote that ends it.
const FOREIGN: &str = "failed to resolve import `";

/// Makes a component of `module`, the library of `package`.
///
/// # Errors
///
/// When it has no functions of its own, or two of one name.
pub fn componentize(package: &str, module: &[u8]) -> Result<Component> {
    let bytes = encode(module).map_err(|error| unencodable(package, error))?;
    let component = Component::new(format!("{package}.wasm"), bytes)?;
    check_names(package, component.functions())?;
    Ok(component)
}

fn encode(module: &[u8]) -> std::result::Result<Vec<u8>, Unencodable> {
    let encoded = ComponentEncoder::default().validate(true).module(module).and_then(|encoder| {
        encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
    });
    Ok(encoded.and_then(|mut encoder| encoder.encode())?)
}

/// What a module imports that no component gives it is most often a function of C's.
fn unencodable(package: &str, error: Unencodable) -> Error {
    let mut causes =
        std::iter::successors(Some(&*error as &dyn std::error::Error), |error| error.source());
    let foreign = causes.find_map(|cause| {
        cause.to_string().strip_prefix(FOREIGN)?.strip_suffix('`').map(str::to_owned)
    });
    match foreign {
        Some(foreign) => Error::input(format!(
            "the library of `{package}` needs `{foreign}`, which no component has"
        ))
        .hint(format!(
            "a crate declares it and expects it of C (`env::`) or of a browser: use one that is \
             Rust alone; what a closure can't do: {PAGE}"
        )),
        None => Error::machinery(format!("the module of `{package}` cannot be made a component"))
            .because(error),
    }
}

fn check_names(package: &str, functions: &[Function]) -> Result<()> {
    if !functions.iter().any(|function| function.package == package) {
        return Err(Error::input(format!("the library of `{package}` has no #[hype::function]"))
            .hint("write one in its src/lib.rs: #[hype::function] above a `pub fn`"));
    }
    let mut places = HashMap::new();
    let mut functions: Vec<_> = functions.iter().collect();
    functions.sort_by_key(|function| (&function.file, function.line));
    for function in functions {
        if let Some(other) = places.insert(function.qualified_name(), function) {
            return Err(Error::input(format!(
                "two functions of `{}` are called `{}`: {}:{} and {}:{}",
                function.package,
                function.name,
                other.file,
                other.line,
                function.file,
                function.line
            ))
            .hint("give one of them another name; modules don't tell closures apart"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(package: &str, name: &str, line: u32) -> Function {
        Function {
            sdk: "0.1.0".into(),
            package: package.into(),
            name: name.into(),
            file: "src/lib.rs".into(),
            line,
            docs: String::new(),
            parameters: Vec::new(),
            result: "()".into(),
        }
    }

    #[test]
    fn two_functions_of_one_name_are_refused_with_both_places() {
        let functions = [function("a", "f", 3), function("b", "f", 5), function("a", "f", 9)];
        let error = check_names("a", &functions).unwrap_err().to_string();
        assert_eq!(error, "two functions of `a` are called `f`: src/lib.rs:3 and src/lib.rs:9");
        assert!(check_names("a", &functions[..2]).is_ok());
    }

    #[test]
    fn a_library_without_functions_is_refused() {
        let error = check_names("a", &[function("b", "f", 5)]).unwrap_err().to_string();
        assert_eq!(error, "the library of `a` has no #[hype::function]");
    }
}
