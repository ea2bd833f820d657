//! The exit status and the output of an ended command.

use std::fmt;

/// The exit status of a command: an exit code, or the signal that killed it.
///
/// ```no_run
/// # fn check() -> std::io::Result<()> {
/// use hype::process::Command;
///
/// // Granted by RunEnvironment::allow_command("test").
/// let status = Command::new("test").args(["-d", "/data"]).status()?;
/// match (status.code(), status.signal()) {
///     (Some(code), _) => println!("exited with {code}"),
///     (_, signal) => println!("killed by signal {signal:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitStatus(pub(super) Termination);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(test, target_family = "wasm")),
    expect(dead_code, reason = "no command is started outside of a closure")
)]
pub(super) enum Termination {
    Code(i32),
    Signal(i32),
}

impl ExitStatus {
    /// Returns whether the command exited with code 0.
    pub fn success(&self) -> bool {
        self.0 == Termination::Code(0)
    }

    /// Returns the exit code, or `None` if a signal killed the command.
    pub fn code(&self) -> Option<i32> {
        match self.0 {
            Termination::Code(code) => Some(code),
            Termination::Signal(_) => None,
        }
    }

    /// Returns the number of the signal that killed the command, or `None` if it exited.
    pub fn signal(&self) -> Option<i32> {
        match self.0 {
            Termination::Code(_) => None,
            Termination::Signal(signal) => Some(signal),
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Termination::Code(code) => write!(f, "exit status: {code}"),
            Termination::Signal(signal) => write!(f, "signal: {signal}"),
        }
    }
}

/// The exit status and the output of an ended command.
///
/// ```no_run
/// # fn host() -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
/// use hype::process::Command;
///
/// // Granted by RunEnvironment::allow_command("hostname").
/// let output = Command::new("hostname").output()?;
/// if !output.status.success() {
///     return Err(String::from_utf8_lossy(&output.stderr).into());
/// }
/// # Ok(String::from_utf8(output.stdout)?)
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit status.
    pub status: ExitStatus,
    /// The bytes written to standard output; empty unless it was piped.
    pub stdout: Vec<u8>,
    /// The bytes written to standard error; empty unless it was piped.
    pub stderr: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_status_displays_like_that_of_std() {
        let (good, bad, killed) = (
            ExitStatus(Termination::Code(0)),
            ExitStatus(Termination::Code(3)),
            ExitStatus(Termination::Signal(9)),
        );
        assert!(good.success() && !bad.success() && !killed.success());
        assert_eq!((bad.code(), bad.signal()), (Some(3), None));
        assert_eq!((killed.code(), killed.signal()), (None, Some(9)));
        assert_eq!(bad.to_string(), "exit status: 3");
        assert_eq!(killed.to_string(), "signal: 9");
    }
}
