//! Reads a container's log: each line exactly once, also across interruptions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::io::{AsyncBufRead, AsyncBufReadExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::LogParams;
use kube::{Api, Error as KubeError};

use super::api_error::ErrorClass;
use crate::environment::pod_base::CONTAINER;
use crate::run::log::{Log, unmarked};

/// A reader of one container's log, which remembers its position.
pub(crate) struct LogReader {
    api: Api<Pod>,
    pod: String,
    writer: LogWriter,
    /// Whether the server has returned this log before, so that a later denial is transient.
    was_available: bool,
}

/// The number of lines of each stream that were written. Clones share the counters.
#[derive(Debug, Clone, Default)]
pub(crate) struct LineCounts(Arc<[AtomicUsize; 2]>);

/// The reason why a log can't be read further.
#[derive(Debug)]
pub(crate) enum LogError {
    /// A request or its stream failed. A retry may resume it.
    Failed(KubeError),
    /// Lines are missing after the current position: the node has rotated the log file.
    Gap,
}

/// The reaction to missing lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnGap {
    Stop,
    Continue,
}

/// The destination of the lines, and the position in the source.
struct LogWriter {
    log: Log,
    position: Position,
    lines: LineCounts,
}

/// A position in a log: the timestamp of the last line that was read, and the number of lines read with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Position {
    last: Option<Timestamp>,
    count: usize,
}

impl LogReader {
    pub(crate) fn new(api: Api<Pod>, pod: &str, log: &Log) -> Self {
        let lines = LineCounts::default();
        let writer = LogWriter { log: log.clone(), position: Position::default(), lines };
        Self { api, pod: pod.to_owned(), writer, was_available: false }
    }

    /// Returns the line counters, which stay valid while this reader is borrowed elsewhere.
    pub(crate) fn lines(&self) -> LineCounts {
        self.writer.lines.clone()
    }

    /// Returns whether the server has returned this log before.
    pub(crate) fn was_available(&self) -> bool {
        self.was_available
    }

    /// Copies lines while the container writes them, until the stream ends or fails.
    pub(crate) async fn follow(&mut self) -> Result<(), LogError> {
        self.copy(true, OnGap::Stop).await
    }

    /// Copies the existing lines that were not copied yet.
    pub(crate) async fn finish(&mut self, on_gap: OnGap) -> Result<(), LogError> {
        self.copy(false, on_gap).await
    }

    async fn copy(&mut self, follow: bool, on_gap: OnGap) -> Result<(), LogError> {
        let params = LogParams {
            container: Some(CONTAINER.to_owned()),
            follow,
            timestamps: true,
            since_time: self.writer.position.last,
            ..Default::default()
        };
        let lines = self.api.log_stream(&self.pod, &params).await.map_err(LogError::Failed)?;
        self.was_available = true;
        self.writer.copy_lines(lines, on_gap).await
    }
}

impl LogError {
    /// Returns whether the server denies access to the log. A server that has just restarted does so for some seconds,
    /// until it has loaded permissions and nodes.
    pub(crate) fn is_denied(&self) -> bool {
        match self {
            Self::Failed(error) => {
                matches!(
                    ErrorClass::of(error),
                    ErrorClass::Forbidden | ErrorClass::NotFound | ErrorClass::Rejected
                )
            }
            Self::Gap => false,
        }
    }
}

impl std::fmt::Display for LogError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(KubeError::Api(status)) => f.write_str(&status.message),
            Self::Failed(error) => write!(f, "{error}"),
            Self::Gap => f.write_str("its node keeps no more of it"),
        }
    }
}

impl LineCounts {
    pub(crate) fn counts(&self) -> [usize; 2] {
        [0, 1].map(|stream| self.0[stream].load(Ordering::Relaxed))
    }
}

impl LogWriter {
    async fn copy_lines(
        &mut self,
        lines: impl AsyncBufRead,
        on_gap: OnGap,
    ) -> Result<(), LogError> {
        let mut lines = std::pin::pin!(lines);
        let mut seen = Position::default();
        loop {
            let mut line = Vec::new();
            let read = lines.read_until(b'\n', &mut line).await;
            read.map_err(|error| LogError::Failed(KubeError::ReadEvents(error)))?;
            // A retry reads an incomplete line again.
            if line.pop() != Some(b'\n') {
                return Ok(());
            }
            let Some((time, text)) = split(&line) else { continue };
            // The server starts at the last line that was read, or before it, if that still exists.
            let is_gap = seen.last.is_none() && self.position.last.is_some_and(|last| time > last);
            if is_gap && on_gap == OnGap::Stop {
                return Err(LogError::Gap);
            }
            seen.advance(time);
            if self.position.advance_to(seen) {
                self.write(text);
            }
        }
    }

    fn write(&self, line: &[u8]) {
        let (stream, text) = unmarked(line);
        self.log.write(stream, &[text, b"\n"].concat());
        self.lines.0[stream as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Position {
    fn advance(&mut self, time: Timestamp) {
        self.count = if self.last == Some(time) { self.count + 1 } else { 1 };
        self.last = Some(time);
    }

    /// Moves forward to `line` and returns true, unless `line` was read before.
    fn advance_to(&mut self, line: Self) -> bool {
        let is_new = (line.last, line.count) > (self.last, self.count);
        if is_new {
            *self = line;
        }
        is_new
    }
}

/// Splits a line into timestamp and text: `2026-11-22T07:00:00.123456789Z text`.
fn split(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let time = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
    Some((time, &line[space + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::log::LogStream;
    use futures::StreamExt;

    const LINES: &[&str] = &[
        "2026-11-22T07:00:00.100000000Z one\n",
        "2026-11-22T07:00:00.200000000Z same\n",
        "2026-11-22T07:00:00.200000000Z same\n",
        "2026-11-22T07:00:00.200000000Z \u{2063}three\n",
        "2026-11-22T07:00:01.3Z four\n",
    ];

    async fn read(log: &Log, position: Position, text: &str) -> Position {
        let mut output = LogWriter { log: log.clone(), position, lines: LineCounts::default() };
        output.copy_lines(text.as_bytes(), OnGap::Stop).await.unwrap();
        output.position
    }

    #[tokio::test]
    async fn log_reader_stops_at_a_gap_by_default() {
        let log = Log::new("run");
        let mut output = LogWriter {
            log: log.clone(),
            position: Position::default(),
            lines: LineCounts::default(),
        };
        output.copy_lines(LINES[..2].concat().as_bytes(), OnGap::Stop).await.unwrap();
        let later = LINES[4].as_bytes();
        let gap = output.copy_lines(later, OnGap::Stop).await.unwrap_err();
        assert!(matches!(gap, LogError::Gap), "{gap:?}");
        assert_eq!(output.lines.counts(), [2, 0]);
        // Used where no outcome has the missing lines.
        output.copy_lines(later, OnGap::Continue).await.unwrap();
        assert_eq!(output.lines.counts(), [3, 0]);
    }

    #[tokio::test]
    async fn each_log_line_is_copied_once_despite_interruptions() {
        let all = LINES.concat();
        for end in 0..=all.len() {
            if !all.is_char_boundary(end) {
                continue;
            }
            let log = Log::new("run");
            let before = read(&log, Position::default(), &all[..end]).await;
            // The server starts at the second of `since_time`.
            read(&log, before, &all).await;
            log.end();
            let lines: Vec<_> = log.follow().collect().await;
            let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(texts, ["one", "same", "same", "three", "four"], "broken off at {end}");
            assert_eq!(lines[3].stream, LogStream::Stderr);
        }
    }
}
