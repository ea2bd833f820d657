//! A process of the program `submitting`, and what it said.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One that goes with its handle.
pub(crate) struct Program {
    child: Child,
    began: Instant,
    lines: Receiver<String>,
    said: Vec<String>,
    stderr: Option<JoinHandle<String>>,
}

/// What a process said until its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
    said: Vec<String>,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start {:?}: {error}; Debian has faketime", command.get_program())
        });
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            // Nobody listens once the handle is gone.
            let _ = stdout.lines().map_while(Result::ok).try_for_each(|line| tell.send(line));
        });
        let mut pipe = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        Self { child, began: Instant::now(), lines, said: Vec::new(), stderr: Some(stderr) }
    }

    /// Waits until so long after its start, and says whether it ended before.
    pub(crate) fn ends_before(&mut self, moment: Duration) -> bool {
        loop {
            match self.lines.recv_timeout(moment.saturating_sub(self.began.elapsed())) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    pub(crate) fn ends_within(&mut self, time: Duration) -> bool {
        self.ends_before(self.began.elapsed() + time)
    }

    /// What follows `word` in the first line that begins with it; none if it ends without one.
    pub(crate) fn waits_for(&mut self, word: &str) -> Option<String> {
        loop {
            if let Some(rest) = find(&self.said, word) {
                return Some(rest.to_owned());
            }
            self.said.push(self.lines.recv().ok()?);
        }
    }

    /// Writes a line to its standard input and closes that. One that has ended doesn't read it.
    pub(crate) fn tell(&mut self, line: &str) {
        if let Some(mut stdin) = self.child.stdin.take() {
            let _ = writeln!(stdin, "{line}");
        }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub(crate) fn send(&self, signal: &str) {
        // It may end meanwhile, and stays known until it is waited for.
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Its end, which must come within `time`; else it is killed.
    pub(crate) fn end_within(mut self, time: Duration) -> Result<Ended, String> {
        if self.ends_within(time) {
            return Ok(self.end());
        }
        self.kill();
        let Ended { said, stderr, .. } = self.end();
        Err(format!("it did not end within {time:?}: {said:?} {stderr}"))
    }

    pub(crate) fn end(mut self) -> Ended {
        self.said.extend(self.lines.iter());
        let (status, took) = (self.child.wait().unwrap(), self.began.elapsed());
        let stderr = self.stderr.take().unwrap().join().unwrap();
        Ended { status, took, said: std::mem::take(&mut self.said), stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, unless the campaign failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// What follows `word` in the line that begins with it.
    pub(crate) fn word(&self, word: &str) -> Option<&str> {
        find(&self.said, word)
    }
}

fn find<'a>(said: &'a [String], word: &str) -> Option<&'a str> {
    said.iter().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
}
