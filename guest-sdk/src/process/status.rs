//! How a command ended.

use std::fmt;

/// How a command ended: by itself with a code, or by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitStatus(pub(super) End);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(test, target_family = "wasm")),
    expect(dead_code, reason = "nothing is started where there is no closure")
)]
pub(super) enum End {
    Code(i32),
    Signal(i32),
}

impl ExitStatus {
    /// Whether it ended by itself, with code 0.
    pub fn success(&self) -> bool {
        self.0 == End::Code(0)
    }

    /// Its code, if it ended by itself.
    pub fn code(&self) -> Option<i32> {
        match self.0 {
            End::Code(code) => Some(code),
            End::Signal(_) => None,
        }
    }

    /// The signal that ended it, if one did.
    pub fn signal(&self) -> Option<i32> {
        match self.0 {
            End::Code(_) => None,
            End::Signal(signal) => Some(signal),
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            End::Code(code) => write!(f, "exit status: {code}"),
            End::Signal(signal) => write!(f, "signal: {signal}"),
        }
    }
}

/// All that a command that has ended left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output, if that was piped.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error, if that was piped.
    pub stderr: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_as_stds() {
        let (good, bad, killed) =
            (ExitStatus(End::Code(0)), ExitStatus(End::Code(3)), ExitStatus(End::Signal(9)));
        assert!(good.success() && !bad.success() && !killed.success());
        assert_eq!((bad.code(), bad.signal()), (Some(3), None));
        assert_eq!((killed.code(), killed.signal()), (None, Some(9)));
        assert_eq!(bad.to_string(), "exit status: 3");
        assert_eq!(killed.to_string(), "signal: 9");
    }
}
