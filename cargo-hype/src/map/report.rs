//! The report of a map, as a page that is written when the map ends, for whatever reason.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use hype::__internal::Recorder;

use crate::error::{Error, Result};
use crate::print::print_note;

/// The file of a report, if one was asked for. It is written when this is dropped, for example by Ctrl-C. Before a map
/// exists, its report is empty.
pub(super) struct ReportFile {
    path: Option<PathBuf>,
    recorder: Recorder,
}

impl ReportFile {
    /// Checks that the file can be written, before the map begins. Leaves an older report as it is.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        if let Some(path) = path {
            let opened = OpenOptions::new().append(true).create(true).open(path);
            opened.map_err(|error| {
                Error::input(format!("cannot write the report {}", path.display())).because(error)
            })?;
        }
        Ok(Self { path: path.map(Path::to_owned), recorder: Recorder::default() })
    }

    /// Sets the map whose report is written.
    pub(super) fn follow(mut self, recorder: Recorder) -> Self {
        self.recorder = recorder;
        self
    }

    /// Writes the report, if one was asked for.
    pub(super) fn write(mut self) -> Result<()> {
        Ok(self.take()?)
    }

    /// Writes the report once.
    fn take(&mut self) -> hype::Result<()> {
        self.path.take().map_or(Ok(()), |path| self.recorder.report().to_html(path))
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        if let Err(error) = self.take() {
            print_note(error.report());
        }
    }
}
