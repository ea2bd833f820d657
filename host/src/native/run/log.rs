//! Logs of runs: the lines that closures write to their standard output and error.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::Stream;
use hype_wire::{ERROR_MARK, printable};
use tokio::sync::watch;

use crate::progress::terminal;
use crate::run::relay::OutputRelay;
use crate::run::unfinished_line::UnfinishedLine;

/// The maximum number of lines that a log keeps.
const MAX_LINES: usize = 10_000;

/// The maximum size of the lines that a log keeps, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// The maximum size of a line, in bytes. Longer lines are split.
pub(crate) const MAX_LINE: usize = 64 << 10;

/// The stream that a closure wrote a line to.
///
/// ```
/// use hype::run::{LogLine, LogStream};
///
/// fn is_error(line: &LogLine) -> bool {
///     line.stream == LogStream::Stderr
/// }
/// assert!(is_error(&LogLine { stream: LogStream::Stderr, text: "no weights".into() }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// A line that a closure wrote, without its line feed. Control characters, which could change a terminal, are replaced
/// by `�`. Lines of more than 64 KiB are split.
///
/// ```
/// fn format(line: &hype::run::LogLine) -> String {
///     format!("{:?}: {}", line.stream, line.text)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The stream.
    pub stream: LogStream,
    /// The text of the line.
    pub text: String,
}

/// The log of one run. Clones share one log.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The prefix of displayed lines while several runs write; `None` for a log that isn't displayed.
    name: Option<String>,
    /// Receives all bytes, in place of a display.
    relay: Option<OutputRelay>,
    state: Mutex<State>,
    /// The number of lines so far, and whether the log has ended.
    written: watch::Sender<(usize, bool)>,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<LogLine>,
    /// The size of `lines`, in bytes.
    bytes: usize,
    /// The number of evicted lines.
    evicted: usize,
    /// The unfinished line of each stream.
    unfinished: [UnfinishedLine; 2],
    /// The number of lines of each stream after which the runner could not read the attempt's log any more.
    truncated_at: Option<[usize; 2]>,
}

/// Returns the stream of a line, and the line without its mark.
pub(crate) fn unmarked(line: &[u8]) -> (LogStream, &[u8]) {
    match line.strip_prefix(ERROR_MARK.as_bytes()) {
        Some(line) => (LogStream::Stderr, line),
        None => (LogStream::Stdout, line),
    }
}

/// The number of runs in this process whose logs have not ended.
static WRITERS: AtomicUsize = AtomicUsize::new(0);

impl Log {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        WRITERS.fetch_add(1, Ordering::Relaxed);
        Self::named(Some(name.into()), None)
    }

    /// Creates a log whose bytes are passed to `relay`, and whose lines aren't displayed.
    pub(crate) fn relayed(relay: OutputRelay) -> Self {
        Self::named(None, Some(relay))
    }

    /// Creates a log whose lines aren't displayed.
    pub(crate) fn silent() -> Self {
        Self::named(None, None)
    }

    fn named(name: Option<String>, relay: Option<OutputRelay>) -> Self {
        Self(Arc::new(Inner {
            name,
            relay,
            state: Mutex::default(),
            written: watch::Sender::new((0, false)),
        }))
    }

    /// Appends bytes that the closure wrote, and displays whole lines.
    pub fn write(&self, stream: LogStream, bytes: &[u8]) {
        self.relay(stream, bytes, false);
        self.add_bytes(stream, bytes);
    }

    /// Appends bytes that are exactly those that the closure wrote, in their order and without a gap.
    #[cfg(feature = "local")]
    pub(crate) fn write_exactly(&self, stream: LogStream, bytes: &[u8]) {
        self.relay(stream, bytes, true);
        self.add_bytes(stream, bytes);
    }

    fn relay(&self, stream: LogStream, bytes: &[u8], are_exact: bool) {
        if let Some(OutputRelay(relay)) = &self.0.relay {
            relay.receive(stream, bytes, are_exact);
        }
    }

    fn add_bytes(&self, stream: LogStream, bytes: &[u8]) {
        let mut state = self.lock();
        let mut unfinished = std::mem::take(&mut state.unfinished[stream as usize]);
        unfinished.write(bytes, MAX_LINE, |line| self.add(&mut state, stream, line));
        state.unfinished[stream as usize] = unfinished;
    }

    /// Appends lines of a log that contains both streams, as `hype-run --mark-errors` writes it: lines of the standard
    /// error are marked.
    pub fn write_marked(&self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let (stream, line) = unmarked(line);
            self.write(stream, line);
        }
    }

    /// Ends the log, and appends unfinished lines.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let mut unfinished = std::mem::take(&mut state.unfinished[stream as usize]);
            unfinished.end(|line| self.add(&mut state, stream, line));
        }
        let ended = self.0.written.send_if_modified(|(_, ended)| !std::mem::replace(ended, true));
        if ended && self.0.name.is_some() {
            WRITERS.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Marks the log of the current attempt as truncated: the runner wrote the first `stdout` and `stderr` lines of the
    /// streams to this log and can't read the others. They are taken from the stage, if they are there.
    pub fn mark_truncated(&self, stdout: usize, stderr: usize) {
        self.lock().truncated_at = Some([stdout, stderr]);
    }

    /// Takes the number of lines of each stream after which the log of the current attempt was truncated.
    pub(crate) fn take_truncation(&self) -> Option<[usize; 2]> {
        self.lock().truncated_at.take()
    }

    /// Returns the last `count` lines, or all if there are fewer.
    pub fn last(&self, count: usize) -> Vec<String> {
        let state = self.lock();
        let skipped = state.lines.len().saturating_sub(count);
        state.lines.iter().skip(skipped).map(|line| line.text.clone()).collect()
    }

    /// Returns the last `tail` kept lines, or all.
    pub(crate) fn kept(&self, tail: Option<usize>) -> Vec<LogLine> {
        let state = self.lock();
        let skipped = tail.map_or(0, |tail| state.lines.len().saturating_sub(tail));
        state.lines.iter().skip(skipped).cloned().collect()
    }

    /// Returns the kept lines, followed by new lines until the log ends.
    pub(crate) fn follow(&self) -> impl Stream<Item = LogLine> + Send + use<> {
        self.follow_from(None)
    }

    /// Returns the last `tail` kept lines, or all, followed by new lines until the log ends.
    pub(crate) fn follow_from(
        &self,
        tail: Option<usize>,
    ) -> impl Stream<Item = LogLine> + Send + use<> {
        self.follow_after(tail.map_or(0, |tail| {
            let state = self.lock();
            state.evicted + state.lines.len().saturating_sub(tail)
        }))
    }

    /// Returns the number of whole lines that were written, including those that aren't kept any more.
    pub(crate) fn count(&self) -> usize {
        let state = self.lock();
        state.evicted + state.lines.len()
    }

    /// Returns the lines after the first `skipped` written ones, until the log ends. Lines that aren't kept any more are
    /// missing.
    pub(crate) fn follow_after(
        &self,
        skipped: usize,
    ) -> impl Stream<Item = LogLine> + Send + use<> {
        let written = self.0.written.subscribe();
        futures::stream::unfold(
            (self.clone(), written, skipped),
            async |(log, mut written, index)| {
                loop {
                    if let Some((line, next)) = log.line_from(index) {
                        return Some((line, (log, written, next)));
                    }
                    let (_, ended) = *written.borrow_and_update();
                    if ended && log.line_from(index).is_none() {
                        return None;
                    }
                    if !ended {
                        written.changed().await.ok()?;
                    }
                }
            },
        )
    }

    /// Returns the first kept line at `index` or later, and the index after it.
    fn line_from(&self, index: usize) -> Option<(LogLine, usize)> {
        let state = self.lock();
        let index = index.max(state.evicted);
        state.lines.get(index - state.evicted).map(|line| (line.clone(), index + 1))
    }

    fn add(&self, state: &mut State, stream: LogStream, line: &[u8]) {
        let line = LogLine { stream, text: sanitize(line) };
        if let Some(name) = &self.0.name {
            let prefix = match WRITERS.load(Ordering::Relaxed) {
                0 | 1 => String::new(),
                _ => format!("[{name}] "),
            };
            terminal::write(&format!("{prefix}{}\n", line.text));
        }
        state.push(line);
        self.0.written.send_modify(|(count, _)| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Appends `line`, and evicts the oldest lines while there are too many.
    fn push(&mut self, line: LogLine) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= oldest.text.len();
            self.evicted += 1;
        }
    }
}

/// Counts a dropped log as ended.
impl Drop for Inner {
    fn drop(&mut self) {
        if self.name.is_some() && !self.written.borrow().1 {
            WRITERS.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Converts a line to text without characters that a terminal acts on.
pub(crate) fn sanitize(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    printable(&String::from_utf8_lossy(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[tokio::test]
    async fn follow_returns_lines_until_the_end() {
        let log = Log::new("run");
        log.write(LogStream::Stdout, b"one\ntw");
        let followed = tokio::spawn(log.follow().collect::<Vec<_>>());
        tokio::task::yield_now().await;
        log.write(LogStream::Stderr, b"err\n");
        log.write(LogStream::Stdout, b"o\n\nthree");
        log.end();
        let lines = followed.await.unwrap();
        assert_eq!(texts(&lines), ["one", "err", "two", "", "three"]);
        assert_eq!(lines[1].stream, LogStream::Stderr);
        assert_eq!(texts(&log.follow().collect::<Vec<_>>().await), texts(&lines));
    }

    #[tokio::test]
    async fn oldest_lines_are_evicted() {
        let log = Log::new("run");
        for number in 0..MAX_LINES + 5 {
            log.write(LogStream::Stdout, format!("{number}\n").as_bytes());
        }
        log.end();
        let lines: Vec<_> = log.follow().collect().await;
        assert_eq!(lines.len(), MAX_LINES);
        assert_eq!(lines[0].text, "5");
    }

    #[tokio::test]
    async fn long_line_is_split_between_characters() {
        let log = Log::new("run");
        let long = "ä".repeat(MAX_LINE);
        log.write(LogStream::Stdout, b"x");
        for piece in long.as_bytes().chunks(777) {
            log.write(LogStream::Stdout, piece);
        }
        log.write(LogStream::Stderr, format!("x{long}\n").as_bytes());
        log.end();
        let lines: Vec<_> = log.follow().collect().await;
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let parts: Vec<_> = lines.iter().filter(|line| line.stream == stream).collect();
            let lengths: Vec<_> = parts.iter().map(|line| line.text.len()).collect();
            assert_eq!(lengths, [MAX_LINE - 1, MAX_LINE, 2]);
            let texts: String = parts.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(texts, format!("x{long}"));
        }
    }

    #[test]
    fn marked_lines_are_split_by_stream() {
        let log = Log::new("run");
        log.write_marked(format!("out\n{ERROR_MARK}err\n").as_bytes());
        log.end();
        assert_eq!(log.last(2), ["out", "err"]);
        assert_eq!(
            unmarked(format!("{ERROR_MARK}err").as_bytes()),
            (LogStream::Stderr, &b"err"[..])
        );
    }

    #[test]
    fn long_lines_are_evicted_by_size() {
        let log = Log::new("run");
        let line = vec![b'a'; MAX_LINE];
        for _ in 0..MAX_BYTES / MAX_LINE + 10 {
            log.write(LogStream::Stdout, &line);
            log.write(LogStream::Stdout, b"\n");
        }
        let state = log.lock();
        assert_eq!((state.lines.len(), state.evicted), (MAX_BYTES / MAX_LINE, 10));
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(sanitize(b"a\x1b[31mred\x07\tb\r"), "a\u{fffd}[31mred\u{fffd}\tb");
        assert_eq!(sanitize("\u{202e}a\u{200b}\u{200d}".as_bytes()), "\u{fffd}a\u{fffd}\u{200d}");
        assert_eq!(sanitize(b"\xff\xc2\x9b"), "\u{fffd}\u{fffd}");
    }
}
