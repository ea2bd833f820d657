//! What `hype-run` writes, from the container's log: once each, over whatever breaks in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::io::{AsyncBufRead, AsyncBufReadExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::LogParams;
use kube::{Api, Error as KubeError};

use super::refusal::Trouble;
use crate::environment::pod_base::CONTAINER;
use crate::run::log::{Log, unmarked};

/// The log of one container, read up to some line.
pub(crate) struct Output {
    api: Api<Pod>,
    pod: String,
    written: Written,
    /// Whether the server has given this log before, so that a refusal now is a passing one.
    was_given: bool,
}

/// How many lines of each stream were handed on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<[AtomicUsize; 2]>);

/// Why no more of a log is read.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It may be read on, or not even that.
    Off(KubeError),
    /// Lines are missing between what was read and what there is: its node began another file.
    Gap,
}

/// What is done where lines are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtGap {
    Stop,
    GoOn,
}

/// What was handed on of it.
struct Written {
    log: Log,
    read: Read,
    lines: Lines,
}

/// Up to where a log was read: the time of the last line, and how many lines have that time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Read {
    last: Option<Timestamp>,
    count: usize,
}

impl Output {
    pub(crate) fn new(api: Api<Pod>, pod: &str, log: &Log) -> Self {
        let lines = Lines::default();
        let written = Written { log: log.clone(), read: Read::default(), lines };
        Self { api, pod: pod.to_owned(), written, was_given: false }
    }

    /// How many lines are handed on, whoever holds this.
    pub(crate) fn lines(&self) -> Lines {
        self.written.lines.clone()
    }

    /// Whether the server has given this log before.
    pub(crate) fn was_given(&self) -> bool {
        self.was_given
    }

    /// Hands on what is written until that ends or breaks off.
    pub(crate) async fn follow(&mut self) -> Result<(), Broken> {
        self.hand_on(true, AtGap::Stop).await
    }

    /// Hands on what is there and was not yet.
    pub(crate) async fn finish(&mut self, at_gap: AtGap) -> Result<(), Broken> {
        self.hand_on(false, at_gap).await
    }

    async fn hand_on(&mut self, follow: bool, at_gap: AtGap) -> Result<(), Broken> {
        let params = LogParams {
            container: Some(CONTAINER.to_owned()),
            follow,
            timestamps: true,
            since_time: self.written.read.last,
            ..Default::default()
        };
        let lines = self.api.log_stream(&self.pod, &params).await.map_err(Broken::Off)?;
        self.was_given = true;
        self.written.take(lines, at_gap).await
    }
}

impl Broken {
    /// Whether the server refuses the log. A server that has just restarted does that for some seconds, until it
    /// knows who may read it and where the node is.
    pub(crate) fn is_refused(&self) -> bool {
        match self {
            Self::Off(error) => {
                matches!(
                    Trouble::of(error),
                    Trouble::Forbidden | Trouble::NotFound | Trouble::Refused
                )
            }
            Self::Gap => false,
        }
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Off(KubeError::Api(status)) => f.write_str(&status.message),
            Self::Off(error) => write!(f, "{error}"),
            Self::Gap => f.write_str("its node keeps no more of it"),
        }
    }
}

impl Lines {
    pub(crate) fn counts(&self) -> [usize; 2] {
        [0, 1].map(|stream| self.0[stream].load(Ordering::Relaxed))
    }
}

impl Written {
    async fn take(&mut self, lines: impl AsyncBufRead, at_gap: AtGap) -> Result<(), Broken> {
        let mut lines = std::pin::pin!(lines);
        let mut again = Read::default();
        loop {
            let mut line = Vec::new();
            let read = lines.read_until(b'\n', &mut line).await;
            read.map_err(|error| Broken::Off(KubeError::ReadEvents(error)))?;
            // One that breaks off comes again, as a whole.
            if line.pop() != Some(b'\n') {
                return Ok(());
            }
            let Some((time, text)) = split(&line) else { continue };
            // The server begins with the last that was read, or before it, where that is still there.
            let is_gap = again.last.is_none() && self.read.last.is_some_and(|last| time > last);
            if is_gap && at_gap == AtGap::Stop {
                return Err(Broken::Gap);
            }
            again.advance(time);
            if self.read.takes(again) {
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

impl Read {
    fn advance(&mut self, time: Timestamp) {
        self.count = if self.last == Some(time) { self.count + 1 } else { 1 };
        self.last = Some(time);
    }

    /// Whether `line`, the last of those that were read again, is new; it isn't any more then.
    fn takes(&mut self, line: Self) -> bool {
        let is_new = (line.last, line.count) > (self.last, self.count);
        if is_new {
            *self = line;
        }
        is_new
    }
}

/// The time and the text of a line: `2026-11-22T07:00:00.123456789Z text`.
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

    async fn read(log: &Log, read: Read, text: &str) -> Read {
        let mut output = Written { log: log.clone(), read, lines: Lines::default() };
        output.take(text.as_bytes(), AtGap::Stop).await.unwrap();
        output.read
    }

    #[tokio::test]
    async fn nothing_is_handed_on_behind_a_gap() {
        let log = Log::new("run");
        let mut output =
            Written { log: log.clone(), read: Read::default(), lines: Lines::default() };
        output.take(LINES[..2].concat().as_bytes(), AtGap::Stop).await.unwrap();
        let later = LINES[4].as_bytes();
        let gap = output.take(later, AtGap::Stop).await.unwrap_err();
        assert!(matches!(gap, Broken::Gap), "{gap:?}");
        assert_eq!(output.lines.counts(), [2, 0]);
        // Unless nothing else keeps it.
        output.take(later, AtGap::GoOn).await.unwrap();
        assert_eq!(output.lines.counts(), [3, 0]);
    }

    #[tokio::test]
    async fn each_line_is_handed_on_once_wherever_it_breaks_off() {
        let all = LINES.concat();
        for end in 0..=all.len() {
            if !all.is_char_boundary(end) {
                continue;
            }
            let log = Log::new("run");
            let before = read(&log, Read::default(), &all[..end]).await;
            // The server begins with the second that was named.
            read(&log, before, &all).await;
            log.end();
            let lines: Vec<_> = log.follow().collect().await;
            let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(texts, ["one", "same", "same", "three", "four"], "broken off at {end}");
            assert_eq!(lines[3].stream, LogStream::Stderr);
        }
    }
}
