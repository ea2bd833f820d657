//! The program that serves as the fork server in place of the program that makes the calls.

use std::io;
use std::path::{Path, PathBuf};

use hype_wire::HYPE_VERSION;

/// The path of `hype-run`, or of any program that contains this version of hype.
#[derive(Debug)]
pub(super) struct WorkerProgram(PathBuf);

impl WorkerProgram {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the error of a start that failed. Its kind decides whether another start is tried: not of a program that
    /// ends, since its `main` would run each time.
    pub(super) fn refused(&self, error: &io::Error) -> io::Error {
        let reason = format!(
            "{} can't serve as a worker: {error}; name the path of hype-run {HYPE_VERSION}, or of a program that \
             links this version of hype",
            self.0.display()
        );
        use io::ErrorKind::{ConnectionReset, UnexpectedEof, Unsupported};
        let kind = match error.kind() {
            ConnectionReset | UnexpectedEof => Unsupported,
            other => other,
        };
        io::Error::new(kind, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_that_ends_is_not_started_again() {
        let program = WorkerProgram::new("/bin/true".into());
        let kind = |kind: io::ErrorKind| program.refused(&kind.into()).kind();
        assert_eq!(kind(io::ErrorKind::UnexpectedEof), io::ErrorKind::Unsupported);
        assert_eq!(kind(io::ErrorKind::TimedOut), io::ErrorKind::TimedOut);
    }
}
