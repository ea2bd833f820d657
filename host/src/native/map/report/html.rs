//! The page of a report: one HTML file that needs no network.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::Report;
use crate::error::{Error, Result};

/// The page, with [`DATA`] at the place of its data.
const TEMPLATE: &str = include_str!("page.html");

/// The place of the data in the template.
const DATA: &str = "REPORT_DATA";

/// The data of the page.
#[derive(Serialize)]
struct Data<'a> {
    report: &'a Report,
    memory_limit: Option<u64>,
    timeout_s: Option<u64>,
    hype: &'static str,
}

impl Report {
    /// Returns the report as a page: a timeline, histograms, failures with their backtraces, the slowest items, and limits
    /// that would have sufficed. It is one HTML file that needs nothing else, and no network.
    pub fn html(&self) -> String {
        let data = Data {
            report: self,
            memory_limit: self.needs.memory_limit(),
            timeout_s: self.needs.timeout().as_ref().map(Duration::as_secs),
            hype: env!("CARGO_PKG_VERSION"),
        };
        // A report has no map with keys that aren't texts or numbers, so that it has a form in JSON.
        let json = serde_json::to_string(&data).unwrap_or_default();
        TEMPLATE.replacen(DATA, &escaped(&json), 1)
    }

    /// Writes the report as a page, see [`html`](Self::html).
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if the file can't be written.
    pub fn to_html(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        std::fs::write(path, self.html()).map_err(|error| {
            let message = format!("cannot write the report {}", path.display());
            Error::input(message).because(error).hint("name a file in a directory that exists")
        })
    }
}

/// Escapes JSON for a `script` element, which its texts must not end. These characters occur only in strings.
fn escaped(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}
