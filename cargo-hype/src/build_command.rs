//! Components that a command of the package builds, for example from Python or JavaScript.
//!
//! ```toml
//! [package.metadata.hype]
//! build = ["componentize-py", "-d", "wit", "-w", "statistics", "componentize", "app", "-o", "{output}"]
//! inputs = ["app.py", "wit"]
//! ```

use std::path::{Path, PathBuf};
use std::process::Stdio;

use cargo_metadata::Package;
use hype::Component;
use serde::Deserialize;

use crate::componentize::encode_unless_component;
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::print::{output_of_tool, print_note};
use crate::tool;

/// The part of an argument that stands for the path of the component.
const OUTPUT: &str = "{output}";

/// The table `[package.metadata.hype]` of a package.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BuildCommand {
    /// The program and its arguments, which run in the package's directory.
    build: Vec<String>,
    /// The files and directories that the component is built from, relative to the package's directory.
    inputs: Vec<PathBuf>,
    /// The WIT of a core module that has none, relative to the package's directory.
    wit: Option<PathBuf>,
}

/// Returns whether `package` states how its component is built.
pub(crate) fn is_stated(package: &Package) -> bool {
    let table = package.metadata.get("hype");
    table.is_some_and(|table| table.as_object().is_none_or(|fields| !fields.is_empty()))
}

impl BuildCommand {
    /// Returns the command that `package` states, if any.
    ///
    /// # Errors
    ///
    /// If the table has another form.
    pub(crate) fn of(package: &Package) -> Result<Option<Self>> {
        if !is_stated(package) {
            return Ok(None);
        }
        let wrong = |problem: String| {
            Error::input(format!("[package.metadata.hype] in {}: {problem}", package.manifest_path))
                .hint(format!(
                    "it has the form\n  build = [\"PROGRAM\", \"ARGUMENT\", \"{OUTPUT}\"]\n  \
                     inputs = [\"FILE-OR-DIRECTORY\"]"
                ))
        };
        let table = package.metadata["hype"].clone();
        let command: Self =
            serde_json::from_value(table).map_err(|error| wrong(error.to_string()))?;
        if command.inputs.is_empty() {
            return Err(wrong("`inputs` lists no files".to_owned()));
        }
        if !command.build.iter().skip(1).any(|argument| argument.contains(OUTPUT)) {
            return Err(wrong(format!("no argument of `build` contains {OUTPUT}")));
        }
        Ok(Some(command))
    }

    /// Reads the inputs.
    ///
    /// # Errors
    ///
    /// If one doesn't exist or can't be read.
    pub(crate) fn inputs(&self, package: &Package) -> Result<Inputs> {
        let all: Vec<_> = self.inputs.iter().chain(&self.wit).cloned().collect();
        Inputs::read(directory(package), &all).map_err(|error| {
            Error::input(format!("cannot read the inputs of `{}`", package.name))
                .because(error)
                .hint(format!("`inputs` and `wit` in {} name them", package.manifest_path))
        })
    }

    /// Returns the stamp of a component that this command builds from `inputs`. Equal stamps mean that nothing
    /// has changed.
    pub(crate) fn stamp(&self, inputs: &Inputs) -> String {
        format!("{} {:?} {}\n", env!("CARGO_PKG_VERSION"), self.build, inputs.digest())
    }

    /// Runs the command and returns the component that it wrote to a file in `directory`. A core module is encoded
    /// as a component.
    ///
    /// # Errors
    ///
    /// If the command fails, or writes no component.
    pub(crate) fn run(&self, package: &Package, scratch: &Path) -> Result<Component> {
        let output = scratch.join(format!("{}.wasm", package.name));
        let text = output
            .to_str()
            .ok_or_else(|| Error::input(format!("the path {} is not UTF-8", output.display())))?;
        let name = self.build.first().map(String::as_str).unwrap_or_default();
        print_note(format!("{:>12} {} with {name}", "Building", package.name));
        let mut command = tool::command(program(directory(package), name));
        command
            .args(self.build.iter().skip(1).map(|argument| argument.replace(OUTPUT, text)))
            .current_dir(directory(package))
            .stdin(Stdio::null())
            .stdout(output_of_tool());
        let status = command.status().map_err(|error| {
            Error::input(format!("cannot run {name}, which builds `{}`", package.name))
                .because(error)
                .hint(match is_in_package(name) {
                    true => format!(
                        "`build` in {} names it, relative to the package",
                        package.manifest_path
                    ),
                    false => format!("install {name}, and add its directory to PATH"),
                })
        })?;
        if !status.success() {
            return Err(Error::input(format!(
                "{name}, which builds `{}`, failed with {status}",
                package.name
            ))
            .hint(format!("see its output above; it ran in {}", directory(package).display())));
        }
        if !output.exists() {
            return Err(Error::input(format!(
                "{name}, which builds `{}`, wrote no component to {OUTPUT}",
                package.name
            ))
            .hint(format!("`build` in {} has its arguments", package.manifest_path)));
        }
        let wit = self.wit.as_ref().map(|wit| directory(package).join(wit));
        encode_unless_component(package, &output, wit.as_deref())
    }
}

/// Returns the directory of a package.
fn directory(package: &Package) -> &Path {
    package.manifest_path.parent().map_or(Path::new("."), |directory| directory.as_std_path())
}

/// Returns the path of a program. One with a `/` is relative to the package's directory; another is searched in `PATH`.
fn program(directory: &Path, name: &str) -> PathBuf {
    if is_in_package(name) { directory.join(name) } else { name.into() }
}

fn is_in_package(name: &str) -> bool {
    Path::new(name).components().count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(metadata: serde_json::Value) -> Package {
        serde_json::from_value(json!({
            "name": "words", "version": "0.1.0", "id": "words", "dependencies": [], "targets": [],
            "features": {}, "manifest_path": "/p/Cargo.toml", "metadata": metadata,
        }))
        .unwrap()
    }

    fn problem(table: serde_json::Value) -> String {
        BuildCommand::of(&package(json!({ "hype": table }))).unwrap_err().to_string()
    }

    #[test]
    fn malformed_table_is_rejected_with_its_manifest() {
        let start = "[package.metadata.hype] in /p/Cargo.toml:";
        for (table, expected) in [
            (json!({"build": "make"}), "invalid type: string \"make\", expected a sequence"),
            (json!({"build": ["make", "{output}"]}), "missing field `inputs`"),
            (json!({"build": ["make", "{output}"], "inputs": []}), "`inputs` lists no files"),
            (json!({"build": ["make"], "inputs": ["a"]}), "no argument of `build` contains"),
            (json!({"build": ["{output}"], "inputs": ["a"]}), "no argument of `build` contains"),
            (json!({"build": ["make"], "inputs": [], "x": 1}), "unknown field `x`"),
            (json!({"biuld": ["make", "{output}"], "inputs": ["a"]}), "unknown field `biuld`"),
            (json!(["make"]), "invalid"),
        ] {
            let problem = problem(table);
            assert!(problem.starts_with(start) && problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn package_without_a_command_is_built_by_cargo() {
        for metadata in [json!(null), json!({"docs": 1}), json!({"hype": {}})] {
            assert_eq!(BuildCommand::of(&package(metadata)).unwrap(), None);
        }
    }

    #[test]
    fn program_with_a_directory_is_relative_to_the_package() {
        assert_eq!(program(Path::new("/p"), "npx"), Path::new("npx"));
        assert_eq!(program(Path::new("/p"), "./make"), Path::new("/p/./make"));
        assert_eq!(program(Path::new("/p"), "/bin/make"), Path::new("/bin/make"));
    }
}
