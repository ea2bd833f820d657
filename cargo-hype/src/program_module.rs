//! Encodes a core module that is a whole program, compiled for `wasm32-wasip1`, as a component.

use hype::Component;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{ImportSection, Module, RawSection};
use wasmparser::{ImportSectionReader, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::error::{Error, Result};

/// The function that runs a program.
const START: &str = "_start";

/// The function of WASI 0.1 that ends a program.
const PROC_EXIT: &str = "proc_exit";

/// The function of WASI 0.2 with the same core type, of an interface that [`EXIT_WIT`] declares.
const EXIT_WITH_CODE: (&str, &str) = ("wasi:cli/exit@0.2.12", "exit-with-code");

const EXIT_WIT: &str = "\
package hype:program;

world exit {
    import wasi:cli/exit@0.2.12;
}

package wasi:cli@0.2.12 {
    interface exit {
        exit: func(status: result);
        exit-with-code: func(status-code: u8);
    }
}";

type EncodeError = Box<dyn std::error::Error + Send + Sync>;

/// Returns whether `bytes` are a core module.
pub(crate) fn is_module(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm") && Parser::is_core_wasm(bytes)
}

/// Returns whether a core module exports the start of a program.
pub(crate) fn has_start(module: &[u8]) -> bool {
    Parser::new(0).parse_all(module).any(|payload| match payload {
        Ok(Payload::ExportSection(exports)) => {
            exports.into_iter().any(|export| export.is_ok_and(|export| export.name == START))
        }
        _ => false,
    })
}

/// Encodes `module`, a program for `wasm32-wasip1`, as a component called `name`.
///
/// # Errors
///
/// If the module is no program, is malformed, or imports something besides WASI.
pub fn encode_program(name: &str, module: &[u8]) -> Result<Component> {
    let bytes = encode(module).map_err(|error| {
        Error::input(format!("{name} cannot be converted to a component")).because(error)
    })?;
    Ok(Component::new(name, bytes)?)
}

/// Converts with wasmtime's adapter, except for the exit status, of which the adapter keeps only success or failure.
fn encode(module: &[u8]) -> std::result::Result<Vec<u8>, EncodeError> {
    let mut module = with_exit_with_code(module)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_source("exit.wit", EXIT_WIT)?;
    let world = resolve.select_world(&[package], Some("exit"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(&module)?
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER);
    Ok(encoded.and_then(|mut encoder| encoder.encode())?)
}

/// Makes `module` import [`EXIT_WITH_CODE`] in place of [`PROC_EXIT`].
fn with_exit_with_code(module: &[u8]) -> std::result::Result<Vec<u8>, EncodeError> {
    if !has_start(module) {
        return Err(format!("it is no program: it doesn't export {START}").into());
    }
    let mut changed = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::ImportSection(imports) = &payload {
            changed.section(&changed_imports(imports.clone())?);
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            changed.section(&RawSection { id, data: module.get(range).unwrap_or_default() });
        }
    }
    Ok(changed.finish())
}

fn changed_imports(
    imports: ImportSectionReader<'_>,
) -> std::result::Result<ImportSection, EncodeError> {
    let mut changed = ImportSection::new();
    for import in imports.into_imports() {
        let mut import = import?;
        if (import.module, import.name) == (WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, PROC_EXIT) {
            (import.module, import.name) = EXIT_WITH_CODE;
        }
        RoundtripReencoder.parse_import(&mut changed, import)?;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXITS: &str = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 7)) unreachable))"#;

    #[test]
    fn module_becomes_a_program_that_reports_its_status() {
        let module = wat::parse_str(EXITS).unwrap();
        assert!(is_module(&module));
        let component = encode_program("exits.wasm", &module).unwrap();
        assert!(component.is_program() && !is_module(component.bytes()));
        assert!(component.imports().iter().any(|import| import == EXIT_WITH_CODE.0));
    }

    #[test]
    fn module_that_is_no_program_is_rejected() {
        for (module, problem) in [
            ("(module)", "it is no program: it doesn't export _start"),
            (
                r#"(module (import "env" "f" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
                "env",
            ),
        ] {
            let module = wat::parse_str(module).unwrap();
            let error = encode_program("x.wasm", &module).unwrap_err();
            assert_eq!(error.to_string(), "x.wasm cannot be converted to a component");
            assert!(error.report().contains(problem), "{}", error.report());
        }
    }
}
