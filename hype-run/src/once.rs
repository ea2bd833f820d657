//! At most one start of an attempt: a node may start a container a second time.
//!
//! The first start leaves a mark in a directory that outlives its process, and there, once it has ended, what it told
//! of its end. A later start runs nothing and tells the same.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

/// The mark of the first start. It is locked for as long as that process lives.
const STARTED: &str = "hype-run-started";

/// What the first start told of its end.
const ENDED: &str = "hype-run-ended";

/// A start of an attempt.
#[derive(Debug)]
pub enum Start {
    /// The first one, which is to run the closure.
    First(FirstStart),
    /// A later one: what the first told of its end, if it came to tell that.
    Again(Option<String>),
}

/// The first start of an attempt.
#[derive(Debug)]
pub struct FirstStart {
    directory: PathBuf,
    /// Holds the lock.
    _mark: File,
}

impl Start {
    /// Marks in `directory` that an attempt is started. If it was started before, waits for the end of that process.
    ///
    /// # Errors
    ///
    /// When nothing can be written to or read from the directory.
    pub fn begin(directory: &Path) -> Result<Self> {
        let path = directory.join(STARTED);
        match File::create_new(&path) {
            Ok(mark) => {
                lock(&mark)?;
                Ok(Self::First(FirstStart { directory: directory.to_owned(), _mark: mark }))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                lock(&File::open(&path)?)?;
                match fs::read_to_string(directory.join(ENDED)) {
                    Ok(told) => Ok(Self::Again(Some(told))),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::Again(None)),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}

impl FirstStart {
    /// Keeps what is told of the end for later starts: all of it or nothing.
    ///
    /// # Errors
    ///
    /// When it can't be written.
    pub fn end(&self, told: &str) -> Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(told.as_bytes())?;
        file.persist(self.directory.join(ENDED)).map_err(Error::from)?;
        Ok(())
    }
}

/// Waits until nobody else holds the lock. Where a file system has no locks, nobody waits.
fn lock(file: &File) -> Result<()> {
    match file.lock() {
        Err(error) if error.kind() != ErrorKind::Unsupported => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(directory: &Path) -> Option<String> {
        match Start::begin(directory).unwrap() {
            Start::First(_) => panic!("it is the first start"),
            Start::Again(told) => told,
        }
    }

    #[test]
    fn later_starts_are_told_how_the_first_ended() {
        let directory = tempfile::tempdir().unwrap();
        let Start::First(first) = Start::begin(directory.path()).unwrap() else {
            panic!("it is no later start")
        };
        first.end("its line\n").unwrap();
        drop(first);
        assert_eq!(told(directory.path()).as_deref(), Some("its line\n"));
        assert_eq!(told(directory.path()).as_deref(), Some("its line\n"));
    }

    #[test]
    fn a_first_start_that_was_killed_told_nothing() {
        let directory = tempfile::tempdir().unwrap();
        drop(Start::begin(directory.path()).unwrap());
        assert_eq!(told(directory.path()), None);
    }

    #[test]
    fn a_later_start_waits_for_the_end_of_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let Start::First(first) = Start::begin(directory.path()).unwrap() else {
            panic!("it is no later start")
        };
        let path = directory.path().to_owned();
        let second = std::thread::spawn(move || told(&path));
        first.end("its line\n").unwrap();
        drop(first);
        assert_eq!(second.join().unwrap().as_deref(), Some("its line\n"));
    }
}
