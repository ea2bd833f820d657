//! Encodes a core module as a component, and checks the names of its functions.

use std::collections::BTreeMap;
use std::path::Path;

use cargo_metadata::Package;
use hype::Component;
use hype::component::Function;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

use crate::diagnosis::CLOSURES_PAGE;
use crate::error::{Error, Result};
use crate::program_module::{encode_program, has_start, is_module};
use crate::wit_of_module::with_wit;

type EncodeError = Box<dyn std::error::Error + Send + Sync>;

/// The start of the encoder's message about an unresolved import; the import and a backquote follow.
const UNRESOLVED_IMPORT: &str = "failed to resolve import `";

/// Encodes `module`, the compiled library of `package`, as a component.
///
/// # Errors
///
/// If the module imports a function that no component has, if the package has no functions, or if two functions
/// of one package share a name.
pub fn componentize(package: &str, module: &[u8]) -> Result<Component> {
    let bytes = encode(module).map_err(|error| encode_error(package, error))?;
    let component = Component::new(format!("{package}.wasm"), bytes)?;
    check_functions(package, component.functions())?;
    Ok(component)
}

/// Reads the component in the file at `path`, which a command of `package` has written. A core module is encoded as a
/// component, with the WIT text at `wit` if that is stated.
///
/// # Errors
///
/// If the file is neither, or has neither functions nor a program.
pub(crate) fn encode_unless_component(
    package: &Package,
    path: &Path,
    wit: Option<&Path>,
) -> Result<Component> {
    let no_component = || {
        Error::input(format!("the command that builds `{}` wrote no component", package.name))
            .hint(format!("`build` in {} has the command", package.manifest_path))
    };
    let bytes = std::fs::read(path).map_err(|error| no_component().because(error))?;
    let component = match is_module(&bytes) {
        false => Component::new(file_name(package), bytes)
            .map_err(|error| no_component().because(error))?,
        true => encode_foreign(package, with_stated_wit(package, bytes, wit)?.as_slice())?,
    };
    match is_callable(&component)? {
        true => Ok(component),
        false => Err(Error::input(format!(
            "the component of `{}` has no functions, and is no program",
            package.name
        ))
        .hint(format!(
            "export a function from its WIT world; `build` in {} has the command that builds it",
            package.manifest_path
        ))),
    }
}

fn with_stated_wit(package: &Package, module: Vec<u8>, wit: Option<&Path>) -> Result<Vec<u8>> {
    let Some(wit) = wit else { return Ok(module) };
    with_wit(module, wit).map_err(|error| {
        Error::input(format!("the WIT of `{}` cannot be used", package.name)).because(error).hint(
            format!("`wit` in {} names a file or directory with one world", package.manifest_path),
        )
    })
}

/// Returns the name of the component of `package` in messages.
fn file_name(package: &Package) -> String {
    format!("{}.wasm", package.name)
}

/// Encodes a module that a command of `package` has built, maybe from another language: a program if it has no
/// functions.
fn encode_foreign(package: &Package, module: &[u8]) -> Result<Component> {
    let name = file_name(package);
    let bytes = encode(module).map_err(|error| match unresolved_import(&*error) {
        Some(import) => Error::input(format!(
            "the module of `{}` needs `{import}`, which no component has",
            package.name
        ))
        .hint("compile it for WASI (wasm32-wasip1), and link the library that defines it"),
        None => cannot_encode(&package.name, error),
    })?;
    let component = Component::new(name.clone(), bytes)?;
    match !is_callable(&component)? && has_start(module) {
        true => encode_program(&name, module).map_err(|error| {
            error.hint(format!(
                "compile it for wasm32-wasip1; `build` in {} has the command",
                package.manifest_path
            ))
        }),
        false => Ok(component),
    }
}

/// Returns whether a component has functions or is a program.
fn is_callable(component: &Component) -> Result<bool> {
    Ok(!component.functions().is_empty()
        || component.is_program()
        || !component.wit_functions()?.is_empty())
}

fn encode(module: &[u8]) -> std::result::Result<Vec<u8>, EncodeError> {
    let encoded = ComponentEncoder::default().validate(true).module(module).and_then(|encoder| {
        encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
    });
    Ok(encoded.and_then(|mut encoder| encoder.encode())?)
}

/// Converts the encoder's error. An unresolved import is usually a function of a C library.
fn encode_error(package: &str, error: EncodeError) -> Error {
    match unresolved_import(&*error) {
        Some(import) => Error::input(format!(
            "the library of `{package}` needs `{import}`, which no component has"
        ))
        .hint(format!("{}; what a closure can't do: {CLOSURES_PAGE}", import_advice(&import))),
        None => cannot_encode(package, error),
    }
}

fn cannot_encode(package: &str, error: EncodeError) -> Error {
    Error::machinery(format!("the module of `{package}` cannot be encoded as a component"))
        .because(error)
}

/// Returns the import that the encoder can't resolve, if that is its error.
fn unresolved_import(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.find_map(|cause| {
        cause.to_string().strip_prefix(UNRESOLVED_IMPORT)?.strip_suffix('`').map(str::to_owned)
    })
}

/// Returns a fix for an import that no component has.
fn import_advice(import: &str) -> &'static str {
    if import.starts_with("__wbindgen") {
        "a crate is compiled for a browser: use hype::http instead of reqwest, and disable features for \
         JavaScript, such as `js` and `wasmbind`"
    } else {
        "a crate expects it from a C library (`env::`): use a crate that is pure Rust"
    }
}

/// Fails if `package` has no functions, or if two functions of a package have one name.
fn check_functions(package: &str, functions: &[Function]) -> Result<()> {
    if !functions.iter().any(|function| function.package == package) {
        return Err(Error::input(format!("the library of `{package}` has no #[hype::function]"))
            .hint("write one in its src/lib.rs: #[hype::function] above a `pub fn`"));
    }
    let duplicates = duplicate_names(functions);
    if duplicates.is_empty() {
        return Ok(());
    }
    Err(Error::input(duplicates.join("\n"))
        .hint("give each function a unique name; the module of a function is not part of its name"))
}

/// Returns one line for each name that several functions of a package share, with their locations.
fn duplicate_names(functions: &[Function]) -> Vec<String> {
    let mut named: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for function in functions {
        let location = (&function.file, function.line);
        named.entry((&function.package, &function.name)).or_default().push(location);
    }
    let mut lines = Vec::new();
    for ((package, name), mut locations) in named {
        if locations.len() < 2 {
            continue;
        }
        locations.sort_unstable();
        let locations: Vec<_> =
            locations.iter().map(|(file, line)| format!("{file}:{line}")).collect();
        lines.push(format!(
            "{} functions of `{package}` are called `{name}`: {}",
            locations.len(),
            locations.join(", ")
        ));
    }
    lines
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
    fn duplicate_function_names_are_reported_with_locations() {
        let functions = [function("a", "f", 9), function("b", "f", 5), function("a", "f", 3)];
        let error = check_functions("a", &functions).unwrap_err().to_string();
        assert_eq!(error, "2 functions of `a` are called `f`: src/lib.rs:3, src/lib.rs:9");
        assert!(check_functions("a", &functions[..2]).is_ok());
    }

    #[test]
    fn all_duplicate_names_are_reported_together() {
        let names = [("a", "f", 1), ("a", "g", 2), ("a", "f", 3), ("b", "h", 4), ("a", "f", 5)];
        let functions: Vec<_> = names
            .into_iter()
            .chain([("b", "h", 6), ("a", "only", 7)])
            .map(|(package, name, line)| function(package, name, line))
            .collect();
        assert_eq!(
            check_functions("a", &functions).unwrap_err().to_string(),
            "3 functions of `a` are called `f`: src/lib.rs:1, src/lib.rs:3, src/lib.rs:5\n\
             2 functions of `b` are called `h`: src/lib.rs:4, src/lib.rs:6"
        );
    }

    #[test]
    fn import_advice_distinguishes_browser_crates_from_c_libraries() {
        let reqwest = "__wbindgen_placeholder__::__wbindgen_describe";
        assert!(import_advice(reqwest).contains("hype::http"));
        assert!(import_advice("env::sqlite3_open").contains("a C library"));
    }

    #[test]
    fn library_without_functions_is_rejected() {
        let error = check_functions("a", &[function("b", "f", 5)]).unwrap_err().to_string();
        assert_eq!(error, "the library of `a` has no #[hype::function]");
    }
}
