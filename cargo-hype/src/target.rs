//! Rust's standard library for the target of components.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::error::{Error, Result};
use crate::print::print_note;
use crate::tool;

/// The target triple that components are compiled for.
pub(crate) const TARGET: &str = "wasm32-wasip1";

/// Adds [`TARGET`] to the toolchain of `directory`, unless it is installed.
///
/// rustup creates the target's directory before it is complete, so concurrent builds take a lock.
pub(crate) fn ensure(directory: &Path) -> Result<()> {
    let libraries = libraries(directory)?;
    let toolchain = toolchain(&libraries);
    // Locking is best effort: some file systems have no locks.
    let _ = toolchain.as_ref().map(wait_for_other_builds);
    if libraries.is_dir() {
        return Ok(());
    }
    let _ = toolchain.as_ref().map(File::lock);
    if libraries.is_dir() { Ok(()) } else { add(directory, &libraries) }
}

/// Returns whether [`TARGET`] is installed in the toolchain of `directory`.
pub(crate) fn is_installed(directory: &Path) -> Result<bool> {
    Ok(libraries(directory)?.is_dir())
}

/// Waits while another build adds the target.
fn wait_for_other_builds(toolchain: &File) -> io::Result<()> {
    if let Err(TryLockError::WouldBlock) = toolchain.try_lock_shared() {
        print_note(format!(
            "{:>12} until another build has added Rust's target {TARGET}",
            "Waiting"
        ));
        toolchain.lock_shared()?;
    }
    toolchain.unlock()
}

fn add(directory: &Path, libraries: &Path) -> Result<()> {
    print_note(format!("{:>12} Rust's target {TARGET} (rustup target add {TARGET})", "Adding"));
    let added =
        tool::command("rustup").args(["target", "add", TARGET]).current_dir(directory).status();
    match added {
        Ok(status) if status.success() && libraries.is_dir() => Ok(()),
        Ok(_) => Err(Error::machinery(format!("rustup could not add the target {TARGET}"))
            .hint("see rustup's errors above; adding a target needs network access")),
        Err(error) => Err(Error::machinery(format!(
            "Rust's standard library for {TARGET} is missing, and rustup is not installed to add it"
        ))
        .because(error)
        .hint(format!(
            "install the target with the package manager that installed Rust, e.g. the package rust-std-{TARGET}"
        ))),
    }
}

/// Returns the directory of the target's standard library: `SYSROOT/lib/rustlib/TARGET/lib`. It may not exist yet.
fn libraries(directory: &Path) -> Result<PathBuf> {
    let output = tool::rustc()
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(directory)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Error::machinery("cannot run rustc").because(error))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().into())
}

/// Opens a file of the toolchain to lock. Every toolchain of rustup has it, and adding a target keeps it.
fn toolchain(libraries: &Path) -> Option<File> {
    let rustlib = libraries.parent()?.parent()?;
    File::open(rustlib.join("rust-installer-version")).ok()
}
