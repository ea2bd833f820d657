//! Sections of a component: its functions, imports and exports, read without compiling it.

use hype_wire::{Function, section};
use wasmparser::{Parser, Payload};

use crate::error::{Error, Result};

/// The functions, imports and exports that a component lists.
#[derive(Debug, Default)]
pub(super) struct Sections {
    /// The functions, in the order of the sources.
    pub(super) functions: Vec<Function>,
    /// The sorted names of the imports.
    pub(super) imports: Vec<String>,
    /// The names of the exports.
    pub(super) exports: Vec<String>,
}

type Malformed = Box<dyn std::error::Error + Send + Sync>;

impl Sections {
    /// Reads the sections of the component `bytes`. Messages call it `name`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when `bytes` isn't a component.
    pub(super) fn of(name: &str, bytes: &[u8]) -> Result<Self> {
        if bytes.starts_with(b"\0asm") && Parser::is_core_wasm(bytes) {
            return Err(Error::input(format!(
                "{name} is a WebAssembly module, not yet a component"
            ))
            .hint("convert it with cargo hype build, or with wasm-tools component new"));
        }
        Self::read(bytes).map_err(|error| {
            Error::input(format!("{name} is not a WebAssembly component")).because(error)
        })
    }

    fn read(bytes: &[u8]) -> std::result::Result<Self, Malformed> {
        if !bytes.starts_with(b"\0asm") {
            return Err("it doesn't begin as WebAssembly does".into());
        }
        let mut sections = Self::default();
        // The number of modules and components around a section, without the outermost component.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                payload => sections.add(payload, depth)?,
            }
        }
        // The order in the file depends on the tools that built it.
        sections
            .functions
            .sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        sections.imports.sort_unstable();
        Ok(sections)
    }

    /// Adds one section. The inner module lists the functions; imports and exports count at depth 0 only.
    fn add(&mut self, payload: Payload<'_>, depth: usize) -> std::result::Result<(), Malformed> {
        match payload {
            Payload::CustomSection(custom) if custom.name() == section::SECTION => {
                self.functions.extend(section::decode(custom.data())?);
            }
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    self.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    self.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a component of these sections.
    fn component(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        for (id, body) in sections {
            bytes.extend([*id, u8::try_from(body.len()).unwrap()]);
            bytes.extend(body);
        }
        bytes
    }

    /// Encodes a list with one name, followed by `rest`.
    fn named(name: &str, rest: &[u8]) -> Vec<u8> {
        let length = u8::try_from(name.len()).unwrap();
        [&[1, 0, length], name.as_bytes(), rest].concat()
    }

    #[test]
    fn imports_and_exports_of_inner_components_are_skipped() {
        // An import is an instance of type 0, an export the instance 0 without a type.
        let import = |name| (10, named(name, &[5, 0]));
        let export = |name| (11, named(name, &[5, 0, 0]));
        let inner = component(&[import("a:inner/needs"), export("a:inner/gives")]);
        let outer = component(&[import("e"), (4, inner), export("a:b/d"), import("a:b/c@1.0.0")]);
        let sections = Sections::of("x.wasm", &outer).unwrap();
        assert_eq!(sections.imports, ["a:b/c@1.0.0", "e"]);
        assert_eq!(sections.exports, ["a:b/d"]);
        assert!(sections.functions.is_empty());
    }

    #[test]
    fn truncated_component_is_rejected() {
        let whole = component(&[(10, named("a:b/c", &[5, 0]))]);
        let error = Sections::of("x.wasm", &whole[..whole.len() - 3]).unwrap_err();
        assert_eq!(error.to_string(), "x.wasm is not a WebAssembly component");
    }
}
