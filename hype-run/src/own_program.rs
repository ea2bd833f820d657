//! Child processes that run this program, for work that must be killable.
//!
//! A child inherits no environment variables and no descriptors but its three standard streams. It dies with its
//! parent: its standard input is a pipe, which the parent keeps open. A signal on the parent's death
//! (`PR_SET_PDEATHSIG`) would be wrong, since Linux sends it when the thread that started the child ends.

#[cfg(unix)]
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

/// Returns the path of this process's program.
///
/// # Errors
///
/// Returns an error if the system doesn't know the path.
pub(crate) fn path() -> io::Result<PathBuf> {
    // On Linux this link names the file even if an upgrade has replaced it.
    let link = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && link.exists() {
        Ok(link.into())
    } else {
        std::env::current_exe()
    }
}

/// Starts `program` with pipes as its standard input and error, and with `output` as its standard output. The child is
/// killed when the returned handle is dropped, or when this process ends.
///
/// # Errors
///
/// Returns an error if the process cannot be started.
pub(crate) fn start(program: &Path, arguments: &[&str], output: File) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(output).stderr(Stdio::piped());
    #[cfg(unix)]
    {
        // Ctrl-C in a terminal signals this process alone, which decides about its children.
        command.env_clear().envs(loader_variables()).process_group(0);
    }
    command.kill_on_drop(true).spawn()
}

/// Returns the variables by which the system's loader finds the libraries of this program.
#[cfg(unix)]
pub(crate) fn loader_variables() -> impl Iterator<Item = (OsString, OsString)> {
    let is_loaders = |name: &OsString| {
        [&b"LD_"[..], b"DYLD_"].iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix))
    };
    std::env::vars_os().filter(move |(name, _)| is_loaders(name))
}

/// Ends this process as soon as its standard input ends, and thus with its parent. The caller has read everything
/// that the parent sends.
///
/// # Errors
///
/// Returns an error if no thread can be started.
pub(crate) fn exit_with_parent() -> io::Result<()> {
    let wait = || {
        // An error means that the parent can no longer be waited for.
        let _ = io::stdin().lock().read(&mut [0]);
        std::process::exit(1);
    };
    std::thread::Builder::new().name("hype-parent".into()).spawn(wait).map(drop)
}
