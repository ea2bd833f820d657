//! Rust's standard library for the target that components are made of.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::error::{Error, Result};
use crate::tool;

/// The target that functions are compiled for.
pub(crate) const TARGET: &str = "wasm32-wasip1";

/// Makes sure that the toolchain of `directory` can compile for [`TARGET`], by adding it if need be.
///
/// While it is being added, its directory is there before all that belongs into it: builds wait for each other.
pub(crate) fn ensure(directory: &Path) -> Result<()> {
    let libraries = libraries(directory)?;
    let toolchain = toolchain(&libraries);
    // One that can't be locked is looked at, and changed, all the same.
    let _ = toolchain.as_ref().map(wait);
    if libraries.is_dir() {
        return Ok(());
    }
    let _ = toolchain.as_ref().map(File::lock);
    if libraries.is_dir() { Ok(()) } else { add(directory, &libraries) }
}

/// Waits while another build adds the target.
fn wait(toolchain: &File) -> io::Result<()> {
    if let Err(TryLockError::WouldBlock) = toolchain.try_lock_shared() {
        eprintln!("{:>12} until another build has added Rust's target {TARGET}", "Waiting");
        toolchain.lock_shared()?;
    }
    toolchain.unlock()
}

fn add(directory: &Path, libraries: &Path) -> Result<()> {
    eprintln!("{:>12} Rust's target {TARGET} (rustup target add {TARGET})", "Adding");
    let added =
        tool::command("rustup").args(["target", "add", TARGET]).current_dir(directory).status();
    match added {
        Ok(status) if status.success() && libraries.is_dir() => Ok(()),
        Ok(_) => Err(Error::machinery(format!("rustup could not add the target {TARGET}"))
            .hint("what it says above is why; it needs the network once")),
        Err(error) => Err(Error::machinery(format!(
            "Rust's standard library for {TARGET} is missing, and there is no rustup to add it"
        ))
        .because(error)
        .hint(format!("install that target with what installed Rust, e.g. your system's package rust-std-{TARGET}"))),
    }
}

/// Where the library is, or will be: `SYSROOT/lib/rustlib/TARGET/lib`.
fn libraries(directory: &Path) -> Result<PathBuf> {
    let output = tool::rustc()
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(directory)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Error::machinery("cannot run rustc").because(error))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().into())
}

/// A file of the toolchain to lock: one that is there in all that rustup installs, and stays the same file.
fn toolchain(libraries: &Path) -> Option<File> {
    let rustlib = libraries.parent()?.parent()?;
    File::open(rustlib.join("rust-installer-version")).ok()
}
