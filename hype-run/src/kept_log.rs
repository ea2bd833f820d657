//! All that a guest writes, in a file until it goes to the stage: the log of a container may be lost.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use hype_wire::{Blob, BlobHasher};
use tempfile::NamedTempFile;

use crate::marked::MarkedLines;
use crate::output::Stream;

/// How much is kept, in bytes: the lines that fit.
const LIMIT: u64 = (64 << 20) - NOTE.len() as u64;

/// What stands below them where there were more.
const NOTE: &str = "\u{2063}hype-run: the log goes on, and 64 MiB of it are kept\n";

/// Both outputs of a guest as lines of one.
#[derive(Debug, Default)]
pub(crate) struct KeptLog {
    lines: MarkedLines,
    file: Mutex<File>,
}

#[derive(Debug, Default)]
enum File {
    #[default]
    None,
    Open(LogFile),
    /// It takes no more.
    Full(LogFile),
    /// It could not be written, so that there is none.
    Broken,
}

/// What was kept. The file goes with it.
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

    /// What was kept, if it could be. There will be no more.
    pub(crate) fn end(&self) -> Option<LogFile> {
        self.append(&self.lines.end());
        match std::mem::replace(&mut *self.lock(), File::Broken) {
            File::Open(file) | File::Full(file) => Some(file),
            File::None | File::Broken => None,
        }
    }

    fn append(&self, lines: &[u8]) {
        let mut file = self.lock();
        if !lines.is_empty() {
            *file = std::mem::replace(&mut *file, File::Broken).with(lines);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl File {
    /// A run needs no log: where it can't be kept, the run goes on without.
    fn with(self, lines: &[u8]) -> Self {
        let mut open = match self {
            Self::None => match LogFile::new() {
                Ok(open) => open,
                Err(_) => return Self::Broken,
            },
            Self::Open(open) => open,
            Self::Full(_) | Self::Broken => return self,
        };
        let fitting = fitting(lines, LIMIT - open.size);
        match open.write(fitting) {
            Err(_) => Self::Broken,
            Ok(()) if fitting.len() < lines.len() => match open.write(NOTE.as_bytes()) {
                Ok(()) => Self::Full(open),
                Err(_) => Self::Broken,
            },
            Ok(()) => Self::Open(open),
        }
    }
}

/// Those of the first `lines` that have no more bytes than there is `room` for.
fn fitting(lines: &[u8], room: u64) -> &[u8] {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if lines.len() <= room {
        return lines;
    }
    let end = lines[..room].iter().rposition(|byte| *byte == b'\n');
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
    fn the_first_lines_are_kept_that_there_is_room_for() {
        assert_eq!(fitting(b"one\ntwo\n", 8), b"one\ntwo\n");
        assert_eq!(fitting(b"one\ntwo\n", 7), b"one\n");
        assert_eq!(fitting(b"one\ntwo\n", 3), b"");
        let log = KeptLog::default();
        let line = [b"a".repeat(1023).as_slice(), b"\n"].concat();
        for _ in 0..LIMIT / 1024 + 5 {
            log.write(Stream::Stdout, &line);
        }
        // What comes after a line that found no room would leave a gap.
        log.write(Stream::Stdout, b"end\n");
        let kept = log.end().unwrap();
        assert_eq!(kept.blob().size, LIMIT / 1024 * 1024 + NOTE.len() as u64);
        let text = std::fs::read(kept.path()).unwrap();
        assert!(text.ends_with(&[&*line, NOTE.as_bytes()].concat()));
        assert!(log.end().is_none());
    }
}
