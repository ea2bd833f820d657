//! Runs an attempt at most once, even if a node restarts its container.
//!
//! The first start writes a mark to a directory that outlives its process, and later its termination line. A
//! repeated start runs nothing and reports the same line.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

/// The file name of the mark. The first process holds a lock on it until it ends.
const MARK_FILE: &str = "hype-run-started";

/// The file name of the termination line of the first start.
const TERMINATION_FILE: &str = "hype-run-ended";

/// A start of an attempt, whose process may have been started before.
///
/// # Examples
///
/// ```
/// use hype_run::Start;
///
/// let directory = tempfile::tempdir()?;
/// if let Start::First(first) = Start::begin(directory.path())? {
///     first.end("the termination line\n")?;
/// }
/// let Start::Repeated(Some(line)) = Start::begin(directory.path())? else { panic!() };
/// assert_eq!(line, "the termination line\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub enum Start {
    /// The first start, which must run the closure.
    First(FirstStart),
    /// A repeated start, with the termination line of the first start if that wrote one.
    Repeated(Option<String>),
}

/// The first start of an attempt. Repeated starts wait until it is dropped or its process ends.
#[derive(Debug)]
pub struct FirstStart {
    directory: PathBuf,
    /// The locked mark.
    _mark: File,
}

impl Start {
    /// Marks in `directory` that an attempt is started. If it was started before, waits for the end of the
    /// first process.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read or written.
    pub fn begin(directory: &Path) -> Result<Self> {
        let path = directory.join(MARK_FILE);
        match File::create_new(&path) {
            Ok(mark) => {
                lock(&mark)?;
                Ok(Self::First(FirstStart { directory: directory.to_owned(), _mark: mark }))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                lock(&File::open(&path)?)?;
                match fs::read_to_string(directory.join(TERMINATION_FILE)) {
                    Ok(line) => Ok(Self::Repeated(Some(line))),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::Repeated(None)),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}

impl FirstStart {
    /// Stores the termination line for repeated starts, atomically.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written.
    pub fn end(&self, termination: &str) -> Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(termination.as_bytes())?;
        file.persist(self.directory.join(TERMINATION_FILE)).map_err(Error::from)?;
        Ok(())
    }
}

/// Waits for the lock of `file`. Returns immediately on a file system without locks.
fn lock(file: &File) -> Result<()> {
    match file.lock() {
        Err(error) if error.kind() != ErrorKind::Unsupported => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated_start(directory: &Path) -> Option<String> {
        match Start::begin(directory).unwrap() {
            Start::First(_) => panic!("it is the first start"),
            Start::Repeated(line) => line,
        }
    }

    #[test]
    fn repeated_start_returns_the_termination_line() {
        let directory = tempfile::tempdir().unwrap();
        let Start::First(first) = Start::begin(directory.path()).unwrap() else {
            panic!("it is a repeated start")
        };
        first.end("its line\n").unwrap();
        drop(first);
        assert_eq!(repeated_start(directory.path()).as_deref(), Some("its line\n"));
        assert_eq!(repeated_start(directory.path()).as_deref(), Some("its line\n"));
    }

    #[test]
    fn killed_first_start_leaves_no_termination_line() {
        let directory = tempfile::tempdir().unwrap();
        drop(Start::begin(directory.path()).unwrap());
        assert_eq!(repeated_start(directory.path()), None);
    }

    #[test]
    fn repeated_start_waits_for_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let Start::First(first) = Start::begin(directory.path()).unwrap() else {
            panic!("it is a repeated start")
        };
        let path = directory.path().to_owned();
        let second = std::thread::spawn(move || repeated_start(&path));
        first.end("its line\n").unwrap();
        drop(first);
        assert_eq!(second.join().unwrap().as_deref(), Some("its line\n"));
    }
}
