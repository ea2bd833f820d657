//! The log of a guest, kept in a file until it is staged, since a container's log may be lost.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use hype_wire::{Blob, BlobHasher};
use tempfile::NamedTempFile;

use crate::marked_lines::MarkedLines;
use crate::output::Stream;

/// The maximum size of the kept lines, in bytes.
const MAX_LINES_SIZE: u64 = (64 << 20) - TRUNCATION_NOTE.len() as u64;

/// The last line of a truncated log.
const TRUNCATION_NOTE: &str =
    "\u{2063}hype-run: the log is longer, and only its first 64 MiB are kept\n";

/// The merged lines of both outputs of a guest.
#[derive(Debug, Default)]
pub(crate) struct KeptLog {
    lines: MarkedLines,
    file: Mutex<LogState>,
}

#[derive(Debug, Default)]
enum LogState {
    #[default]
    None,
    Open(LogFile),
    /// The maximum size is reached.
    Full(LogFile),
    /// A write has failed, or the log was taken by `finish`.
    Closed,
}

/// The temporary file of a log. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: NamedTempFile,
    hasher: BlobHasher,
    size: u64,
}

impl KeptLog {
    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        let lines = self.lines.add(stream, bytes);
        self.append(&lines);
    }

    /// Returns the log, unless it is empty or could not be written. Later writes are ignored.
    pub(crate) fn finish(&self) -> Option<LogFile> {
        self.append(&self.lines.end());
        match std::mem::replace(&mut *self.lock(), LogState::Closed) {
            LogState::Open(file) | LogState::Full(file) => Some(file),
            LogState::None | LogState::Closed => None,
        }
    }

    fn append(&self, lines: &[u8]) {
        let mut file = self.lock();
        if !lines.is_empty() {
            *file = std::mem::replace(&mut *file, LogState::Closed).with(lines);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LogState> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogState {
    /// Appends `lines`. A failed write drops the log and doesn't fail the run.
    fn with(self, lines: &[u8]) -> Self {
        let mut open = match self {
            Self::None => match LogFile::new() {
                Ok(open) => open,
                Err(_) => return Self::Closed,
            },
            Self::Open(open) => open,
            Self::Full(_) | Self::Closed => return self,
        };
        let fitting = fitting(lines, MAX_LINES_SIZE - open.size);
        match open.write(fitting) {
            Err(_) => Self::Closed,
            Ok(()) if fitting.len() < lines.len() => match open.write(TRUNCATION_NOTE.as_bytes()) {
                Ok(()) => Self::Full(open),
                Err(_) => Self::Closed,
            },
            Ok(()) => Self::Open(open),
        }
    }
}

/// Returns the first `lines`, as many as fit into `max_size` bytes.
fn fitting(lines: &[u8], max_size: u64) -> &[u8] {
    let max_size = usize::try_from(max_size).unwrap_or(usize::MAX);
    if lines.len() <= max_size {
        return lines;
    }
    let end = lines[..max_size].iter().rposition(|byte| *byte == b'\n');
    &lines[..end.map_or(0, |end| end + 1)]
}

impl LogFile {
    fn new() -> std::io::Result<Self> {
        let file = tempfile::Builder::new().prefix("hype-run-log-").tempfile()?;
        Ok(Self { file, hasher: BlobHasher::default(), size: 0 })
    }

    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        self.file.write_all(lines)?;
        self.hasher.update(lines);
        self.size += lines.len() as u64;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(crate) fn blob(&self) -> Blob {
        self.hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_keeps_the_first_lines_that_fit() {
        assert_eq!(fitting(b"one\ntwo\n", 8), b"one\ntwo\n");
        assert_eq!(fitting(b"one\ntwo\n", 7), b"one\n");
        assert_eq!(fitting(b"one\ntwo\n", 3), b"");
        let log = KeptLog::default();
        let line = [b"a".repeat(1023).as_slice(), b"\n"].concat();
        for _ in 0..MAX_LINES_SIZE / 1024 + 5 {
            log.write(Stream::Stdout, &line);
        }
        // Lines after an omitted line are ignored, since they would follow a gap.
        log.write(Stream::Stdout, b"end\n");
        let kept = log.finish().unwrap();
        assert_eq!(kept.blob().size, MAX_LINES_SIZE / 1024 * 1024 + TRUNCATION_NOTE.len() as u64);
        let text = std::fs::read(kept.path()).unwrap();
        assert!(text.ends_with(&[&*line, TRUNCATION_NOTE.as_bytes()].concat()));
        assert!(log.finish().is_none());
    }
}
