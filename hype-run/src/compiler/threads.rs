//! The threads of a compilation.

use std::io;

use rayon::ThreadPoolBuilder;

use crate::engine::{CodeKind, Platform, engine};

/// Compiles the component in `bytes` to machine code for `platform`, or else for this machine, on threads of its own.
///
/// The threads that rayon shares in a process may all wait for this compilation, if the program calls hype on them, and
/// don't exist in a fork of a process that has used them.
///
/// # Errors
///
/// Returns an error if no threads can be started, and `Ok(Err(error))` if the bytes are not a component that can be compiled.
pub(crate) fn compile(
    platform: Option<Platform>,
    kind: CodeKind,
    bytes: &[u8],
) -> io::Result<wasmtime::Result<Vec<u8>>> {
    let name = |number| format!("hype-compile-{number}");
    let threads = ThreadPoolBuilder::new().thread_name(name).build().map_err(io::Error::other)?;
    let compile = || engine(platform, kind, None)?.precompile_component(bytes);
    Ok(threads.install(compile))
}
