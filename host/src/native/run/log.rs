//! What a closure writes to its standard output and error: shown while it runs, and to be followed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::Stream;
use hype_wire::ERROR_MARK;
use tokio::sync::watch;

use crate::progress::terminal;

/// How many lines of a run are kept for those who follow later.
const KEPT: usize = 10_000;

/// How many bytes these lines have at most.
const KEPT_BYTES: usize = 16 << 20;

/// How long a line may be, in bytes; a longer one is broken into several.
const LONGEST: usize = 64 << 10;

/// Which of its two streams a closure wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// A line that a closure wrote, without its end, safe to show: control characters, which a terminal
/// would obey, are replaced by `�`. A line of more than 64 KiB comes as several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Where it wrote it.
    pub stream: LogStream,
    /// The line.
    pub text: String,
}

/// The log of one run. Clones are one log.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Whose it is, for lines that are shown among those of others.
    name: String,
    state: Mutex<State>,
    /// How many lines there were so far, and whether there will be no more.
    written: watch::Sender<(usize, bool)>,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<LogLine>,
    /// How many bytes they have.
    bytes: usize,
    /// How many lines there were before the first that is kept.
    forgotten: usize,
    /// What was written of a line that has no end yet, on each stream.
    begun: [Vec<u8>; 2],
    /// After how many lines of each stream its runner could read no more of an attempt's.
    cut: Option<[usize; 2]>,
}

/// Returns the stream of a line, and the line without its mark.
pub(crate) fn unmarked(line: &[u8]) -> (LogStream, &[u8]) {
    match line.strip_prefix(ERROR_MARK.as_bytes()) {
        Some(line) => (LogStream::Stderr, line),
        None => (LogStream::Stdout, line),
    }
}

/// How many runs of this program are writing.
static WRITERS: AtomicUsize = AtomicUsize::new(0);

impl Log {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        WRITERS.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Inner {
            name: name.into(),
            state: Mutex::default(),
            written: watch::Sender::new((0, false)),
        }))
    }

    /// Takes what the closure wrote; whole lines are shown at once.
    pub fn write(&self, stream: LogStream, bytes: &[u8]) {
        let mut state = self.lock();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut begun = std::mem::take(&mut state.begun[stream as usize]);
            begun.extend_from_slice(piece);
            let is_whole = begun.ends_with(b"\n");
            if is_whole {
                begun.pop();
            }
            while begun.len() > LONGEST {
                let rest = begun.split_off(break_of(&begun));
                self.add(&mut state, stream, &begun);
                begun = rest;
            }
            if is_whole {
                self.add(&mut state, stream, &begun);
                begun.clear();
            }
            state.begun[stream as usize] = begun;
        }
    }

    /// Writes lines of a log that holds both streams, as `hype-run --mark-errors` writes it: those of the
    /// standard error are marked.
    pub fn write_marked(&self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let (stream, line) = unmarked(line);
            self.write(stream, line);
        }
    }

    /// Takes the end of the run: a line that was begun is one now.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let begun = std::mem::take(&mut state.begun[stream as usize]);
            if !begun.is_empty() {
                self.add(&mut state, stream, &begun);
            }
        }
        let ended = self.0.written.send_if_modified(|(_, ended)| !std::mem::replace(ended, true));
        if ended {
            WRITERS.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Says that of the attempt that just ended so many lines of each stream were written here, and that
    /// its runner can't read the others. They are taken from the stage, as far as they are there.
    pub fn mark_truncated(&self, stdout: usize, stderr: usize) {
        self.lock().cut = Some([stdout, stderr]);
    }

    /// After how many lines of each stream the attempt that just ended was cut.
    pub(crate) fn take_cut(&self) -> Option<[usize; 2]> {
        self.lock().cut.take()
    }

    /// Returns the last lines, at most so many.
    pub fn last(&self, count: usize) -> Vec<String> {
        let state = self.lock();
        let skipped = state.lines.len().saturating_sub(count);
        state.lines.iter().skip(skipped).map(|line| line.text.clone()).collect()
    }

    /// All lines from the first that is kept, and then each as it comes, until the run's end.
    pub(crate) fn follow(&self) -> impl Stream<Item = LogLine> + Send + use<> {
        let written = self.0.written.subscribe();
        futures::stream::unfold((self.clone(), written, 0), async |(log, mut written, index)| {
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
        })
    }

    /// The first line that is kept from `index` on, and the index of the next.
    fn line_from(&self, index: usize) -> Option<(LogLine, usize)> {
        let state = self.lock();
        let index = index.max(state.forgotten);
        state.lines.get(index - state.forgotten).map(|line| (line.clone(), index + 1))
    }

    fn add(&self, state: &mut State, stream: LogStream, line: &[u8]) {
        let line = LogLine { stream, text: shown(line) };
        let prefix = match WRITERS.load(Ordering::Relaxed) {
            0 | 1 => String::new(),
            _ => format!("[{}] ", self.0.name),
        };
        terminal::say(&format!("{prefix}{}\n", line.text));
        state.keep(line);
        self.0.written.send_modify(|(count, _)| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Keeps `line`, and forgets the oldest while there are too many.
    fn keep(&mut self, line: LogLine) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= oldest.text.len();
            self.forgotten += 1;
        }
    }
}

/// A run that was dropped writes no more either.
impl Drop for Inner {
    fn drop(&mut self) {
        if !self.written.borrow().1 {
            WRITERS.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Where a line that is too long is broken: between two characters, if it is text.
fn break_of(line: &[u8]) -> usize {
    let is_inside = |index: &usize| line.get(*index).is_some_and(|byte| byte & 0xc0 == 0x80);
    (LONGEST - 3..=LONGEST).rev().find(|index| !is_inside(index)).unwrap_or(LONGEST)
}

fn shown(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let replace = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    String::from_utf8_lossy(line).chars().map(replace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[tokio::test]
    async fn lines_are_followed_from_the_first_to_the_end() {
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
    async fn the_oldest_lines_of_very_many_are_forgotten() {
        let log = Log::new("run");
        for number in 0..KEPT + 5 {
            log.write(LogStream::Stdout, format!("{number}\n").as_bytes());
        }
        log.end();
        let lines: Vec<_> = log.follow().collect().await;
        assert_eq!(lines.len(), KEPT);
        assert_eq!(lines[0].text, "5");
    }

    #[tokio::test]
    async fn a_line_without_end_is_broken_between_characters() {
        let log = Log::new("run");
        let long = "ä".repeat(LONGEST);
        log.write(LogStream::Stdout, b"x");
        for piece in long.as_bytes().chunks(777) {
            log.write(LogStream::Stdout, piece);
            assert!(log.lock().begun[0].len() <= LONGEST);
        }
        log.write(LogStream::Stderr, format!("x{long}\n").as_bytes());
        log.end();
        let lines: Vec<_> = log.follow().collect().await;
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            let parts: Vec<_> = lines.iter().filter(|line| line.stream == stream).collect();
            let lengths: Vec<_> = parts.iter().map(|line| line.text.len()).collect();
            assert_eq!(lengths, [LONGEST - 1, LONGEST, 2]);
            let texts: String = parts.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(texts, format!("x{long}"));
        }
    }

    #[test]
    fn marked_lines_go_to_their_streams() {
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
    fn long_lines_are_forgotten_sooner() {
        let log = Log::new("run");
        let line = vec![b'a'; LONGEST];
        for _ in 0..KEPT_BYTES / LONGEST + 10 {
            log.write(LogStream::Stdout, &line);
            log.write(LogStream::Stdout, b"\n");
        }
        let state = log.lock();
        assert_eq!((state.lines.len(), state.forgotten), (KEPT_BYTES / LONGEST, 10));
    }

    #[test]
    fn what_a_terminal_would_obey_is_not_shown() {
        assert_eq!(shown(b"a\x1b[31mred\x07\tb\r"), "a\u{fffd}[31mred\u{fffd}\tb");
        assert_eq!(shown(b"\xff\xc2\x9b"), "\u{fffd}\u{fffd}");
    }
}
