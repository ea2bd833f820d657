//! Rust's standard library for the target that components are made of.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// The target that functions are compiled for.
pub(crate) const TARGET: &str = "wasm32-wasip1";

/// Makes sure that the toolchain of `directory` can compile for [`TARGET`], by adding it if need be.
pub(crate) fn ensure(directory: &Path) -> Result<()> {
    if is_installed(directory)? {
        return Ok(());
    }
    eprintln!("{:>12} Rust's target {TARGET} (rustup target add {TARGET})", "Adding");
    let added =
        Command::new("rustup").args(["target", "add", TARGET]).current_dir(directory).status();
    match added {
        Ok(status) if status.success() && is_installed(directory)? => Ok(()),
        Ok(_) => Err(Error::machinery(format!("rustup could not add the target {TARGET}"))
            .hint("what it says above is why; it needs the network once")),
        Err(error) => Err(Error::machinery(format!(
            "Rust's standard library for {TARGET} is missing, and there is no rustup to add it"
        ))
        .because(error)
        .hint(format!("install that target with what installed Rust, e.g. your system's package rust-std-{TARGET}"))),
    }
}

fn is_installed(directory: &Path) -> Result<bool> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(directory)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Error::machinery("cannot run rustc").because(error))?;
    let libraries = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && Path::new(libraries.trim()).is_dir())
}
