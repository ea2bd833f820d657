//! From a core module to a component, and what it says of its functions.

use std::collections::BTreeMap;

use hype::Component;
use hype::component::Function;
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
        .hint(format!("{}; what a closure can't do: {PAGE}", foreign_advice(&foreign))),
        None => Error::machinery(format!("the module of `{package}` cannot be made a component"))
            .because(error),
    }
}

/// Returns the remedy for an import that no component has.
fn foreign_advice(import: &str) -> &'static str {
    if import.starts_with("__wbindgen") {
        "a crate takes the closure for a page in a browser: use hype::http in place of reqwest, and leave out \
         features for JavaScript, such as `js` and `wasmbind`"
    } else {
        "a crate declares it and expects it of C (`env::`): use one that is Rust alone"
    }
}

fn check_names(package: &str, functions: &[Function]) -> Result<()> {
    if !functions.iter().any(|function| function.package == package) {
        return Err(Error::input(format!("the library of `{package}` has no #[hype::function]"))
            .hint("write one in its src/lib.rs: #[hype::function] above a `pub fn`"));
    }
    let shared = shared_names(functions);
    if shared.is_empty() {
        return Ok(());
    }
    Err(Error::input(shared.join("\n"))
        .hint("give each function a name of its own; modules don't tell closures apart"))
}

/// One line for each name that several functions of a package have, with all their places.
fn shared_names(functions: &[Function]) -> Vec<String> {
    let mut named: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for function in functions {
        let place = (&function.file, function.line);
        named.entry((&function.package, &function.name)).or_default().push(place);
    }
    let shared = named.into_iter().filter(|(_, places)| places.len() > 1);
    let line = |((package, name), mut places): ((&String, &String), Vec<(&String, u32)>)| {
        places.sort_unstable();
        let places: Vec<_> = places.iter().map(|(file, line)| format!("{file}:{line}")).collect();
        let count = places.len();
        format!("{count} functions of `{package}` are called `{name}`: {}", places.join(", "))
    };
    shared.map(line).collect()
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
            result: hype::component::ValueType::Rust("()".into()),
        }
    }

    #[test]
    fn functions_of_one_name_are_refused_with_all_their_places() {
        let functions = [function("a", "f", 9), function("b", "f", 5), function("a", "f", 3)];
        let error = check_names("a", &functions).unwrap_err().to_string();
        assert_eq!(error, "2 functions of `a` are called `f`: src/lib.rs:3, src/lib.rs:9");
        assert!(check_names("a", &functions[..2]).is_ok());
    }

    #[test]
    fn all_names_that_are_shared_are_told_at_once() {
        let names = [("a", "f", 1), ("a", "g", 2), ("a", "f", 3), ("b", "h", 4), ("a", "f", 5)];
        let functions: Vec<_> = names
            .into_iter()
            .chain([("b", "h", 6), ("a", "only", 7)])
            .map(|(package, name, line)| function(package, name, line))
            .collect();
        assert_eq!(
            check_names("a", &functions).unwrap_err().to_string(),
            "3 functions of `a` are called `f`: src/lib.rs:1, src/lib.rs:3, src/lib.rs:5\n\
             2 functions of `b` are called `h`: src/lib.rs:4, src/lib.rs:6"
        );
    }

    #[test]
    fn crates_for_browsers_are_told_from_those_that_need_c() {
        let reqwest = "__wbindgen_placeholder__::__wbindgen_describe";
        assert!(foreign_advice(reqwest).contains("hype::http"));
        assert!(foreign_advice("env::sqlite3_open").contains("expects it of C"));
    }

    #[test]
    fn a_library_without_functions_is_refused() {
        let error = check_names("a", &[function("b", "f", 5)]).unwrap_err().to_string();
        assert_eq!(error, "the library of `a` has no #[hype::function]");
    }
}
