//! A process of the program `submitting`, and its output.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A process that is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    began: Instant,
    lines: Receiver<String>,
    output: Vec<String>,
    stderr: Option<JoinHandle<String>>,
}

/// The exit status, duration and output of a process.
#[derive(Debug)]
pub(crate) struct FinishedProgram {
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
    output: Vec<String>,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start {:?}: {error}; Debian has faketime", command.get_program())
        });
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            // The receiver is gone once the handle is dropped.
            let _ = stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line));
        });
        let mut pipe = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        Self { child, began: Instant::now(), lines, output: Vec::new(), stderr: Some(stderr) }
    }

    /// Waits until `moment` after the start. Returns whether the process has ended.
    pub(crate) fn ends_before(&mut self, moment: Duration) -> bool {
        loop {
            match self.lines.recv_timeout(moment.saturating_sub(self.began.elapsed())) {
                Ok(line) => self.output.push(line),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    pub(crate) fn ends_within(&mut self, time: Duration) -> bool {
        self.ends_before(self.began.elapsed() + time)
    }

    /// Waits for the first line that begins with `word`. Returns the rest of it, or `None` if the process ends
    /// without one.
    pub(crate) fn wait_for_line(&mut self, word: &str) -> Option<String> {
        loop {
            if let Some(rest) = find(&self.output, word) {
                return Some(rest.to_owned());
            }
            self.output.push(self.lines.recv().ok()?);
        }
    }

    /// Writes a line to the standard input and closes it. A process that has ended is ignored.
    pub(crate) fn write_line(&mut self, line: &str) {
        if let Some(mut stdin) = self.child.stdin.take() {
            let _ = writeln!(stdin, "{line}");
        }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub(crate) fn send(&self, signal: &str) {
        // It may have ended, but its process id stays valid until it is waited for.
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for the end; kills the process after `time` and returns an error.
    pub(crate) fn end_within(mut self, time: Duration) -> Result<FinishedProgram, String> {
        if self.ends_within(time) {
            return Ok(self.end());
        }
        self.kill();
        let FinishedProgram { output, stderr, .. } = self.end();
        Err(format!("it did not end within {time:?}: {output:?} {stderr}"))
    }

    pub(crate) fn end(mut self) -> FinishedProgram {
        self.output.extend(self.lines.iter());
        let (status, took) = (self.child.wait().unwrap(), self.began.elapsed());
        let stderr = self.stderr.take().unwrap().join().unwrap();
        FinishedProgram { status, took, output: std::mem::take(&mut self.output), stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, unless the campaign failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl FinishedProgram {
    /// Returns the rest of the line that begins with `word`.
    pub(crate) fn field(&self, word: &str) -> Option<&str> {
        find(&self.output, word)
    }
}

fn find<'a>(output: &'a [String], word: &str) -> Option<&'a str> {
    output.iter().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
}
