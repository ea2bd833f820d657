//! An emulated terminal for tests.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::screen::Size;

/// An emulated terminal. Clones share it.
#[derive(Clone)]
pub(super) struct Terminal(Arc<Mutex<vt100::Parser>>);

impl Terminal {
    pub(super) fn new(size: Size) -> Self {
        Self(Arc::new(Mutex::new(vt100::Parser::new(size.rows as u16, size.columns as u16, 0))))
    }

    pub(super) fn resize(&self, size: Size) {
        let mut parser = self.0.lock().unwrap();
        parser.screen_mut().set_size(size.rows as u16, size.columns as u16);
    }

    /// Returns the visible rows, without empty rows at the end.
    pub(super) fn rows(&self) -> Vec<String> {
        let parser = self.0.lock().unwrap();
        let screen = parser.screen();
        let mut rows: Vec<_> = screen.rows(0, screen.size().1).collect();
        let kept = rows.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        rows.truncate(kept);
        rows
    }
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // A terminal driver translates line feeds like this in its default mode.

        let text = String::from_utf8_lossy(bytes).replace('\n', "\r\n");
        self.0.lock().unwrap().process(text.as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
