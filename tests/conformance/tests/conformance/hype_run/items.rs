//! Items of a map, which the command reads from its standard input.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use hype_wire::items::{AssignedItem, AttemptEnd, Frames, ItemChunk, ItemMessage, frame};
use hype_wire::{Bytes, Failure, FunctionRef};

use super::*;

/// A process that runs items.
struct Running {
    child: Child,
    frames: Frames<ItemMessage>,
}

impl Running {
    fn start(prepared: &Prepared) -> Self {
        let digest = prepared.digest.to_string();
        let child = Command::new(program())
            .args(["items", &prepared.url(), "--digest", &digest])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, frames: Frames::default() }
    }

    fn send(&mut self, items: Vec<AssignedItem>) {
        let frame = frame(&ItemChunk { items }).unwrap();
        self.child.stdin.as_mut().unwrap().write_all(&frame).unwrap();
    }

    /// Returns the next message; `None` at the end of the standard output.
    fn receive(&mut self) -> Option<ItemMessage> {
        loop {
            if let Some(message) = self.frames.next_message().unwrap() {
                return Some(message);
            }
            let mut bytes = [0; 4096];
            match self.child.stdout.as_mut().unwrap().read(&mut bytes).unwrap() {
                0 => return None,
                size => self.frames.push(&bytes[..size]),
            }
        }
    }

    /// Returns the index and the end of the next item that ends.
    fn next_end(&mut self) -> (u64, AttemptEnd) {
        match self.receive() {
            Some(ItemMessage::Ended { index, end, statistics }) => {
                assert!(statistics.peak_memory > 0);
                (index, end)
            }
            message => panic!("no item has ended: {message:?}"),
        }
    }

    /// Closes the standard input, and returns the exit status.
    fn close(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        assert_eq!(self.receive(), None);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the call of a function with texts.
fn item(index: u64, function: &str, arguments: &[&str]) -> AssignedItem {
    let mut encoded = codec::array_head(u32::try_from(arguments.len()).unwrap());
    arguments.iter().for_each(|argument| codec::append(&mut encoded, argument).unwrap());
    AssignedItem {
        index,
        function: FunctionRef::Closure(function.to_owned()),
        arguments: Bytes(encoded),
        seed: None,
        memory: None,
    }
}

fn text(end: &AttemptEnd) -> String {
    match end {
        AttemptEnd::Value(value) => codec::from_slice(value).unwrap(),
        AttemptEnd::Failure(failure) => panic!("no value: {failure:?}"),
    }
}

fn failure(end: AttemptEnd) -> Failure {
    match end {
        AttemptEnd::Failure(failure) => failure,
        AttemptEnd::Value(_) => panic!("a value"),
    }
}

#[test]
fn items_of_chunks_run_in_order_until_the_input_ends() {
    let prepared = Prepared::new("", &[], |_| {});
    let mut running = Running::start(&prepared);
    assert_eq!(running.receive(), Some(ItemMessage::Ready));
    running.send((0..40).map(|index| item(index, "greet", &[&index.to_string()])).collect());
    running.send(vec![item(40, "no_such_function", &[]), item(41, "greet", &["you"])]);
    for index in 0..40 {
        let (ended, end) = running.next_end();
        assert_eq!((ended, text(&end)), (index, format!("hello {index}")));
    }
    let Some(ItemMessage::Ended { index: 40, end, .. }) = running.receive() else {
        panic!("item 40 has not ended")
    };
    assert_eq!(failure(end).kind, FailureKind::Incompatible);
    assert_eq!(text(&running.next_end().1), "hello you");
    assert_eq!(running.close(), Some(0));
    // Nothing is staged for items, and no outcome.
    let staged = std::fs::read_dir(prepared.directory.path().join("runs/run-1")).unwrap();
    assert_eq!(staged.count(), 1);
}

#[test]
fn output_of_item_precedes_its_end() {
    let prepared = Prepared::new("", &[], |_| {});
    let mut running = Running::start(&prepared);
    assert_eq!(running.receive(), Some(ItemMessage::Ready));
    running.send(vec![item(7, "say", &["a line\n", "oops"])]);
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    loop {
        match running.receive() {
            Some(ItemMessage::Output { is_error: false, bytes }) => out.extend_from_slice(&bytes),
            Some(ItemMessage::Output { is_error: true, bytes }) => errors.extend_from_slice(&bytes),
            Some(ItemMessage::Ended { index: 7, end: AttemptEnd::Value(_), .. }) => break,
            message => panic!("{message:?}"),
        }
    }
    assert_eq!((out.as_slice(), errors.as_slice()), (b"a line\n".as_slice(), b"oops".as_slice()));
}

/// The submitter is gone, so that nothing needs the item.
#[test]
fn end_of_input_interrupts_the_running_item() {
    let signal = tempfile::tempdir().unwrap();
    let prepared = Prepared::waiting(signal.path());
    let mut running = Running::start(&prepared);
    assert_eq!(running.receive(), Some(ItemMessage::Ready));
    running.send(vec![
        item(0, "say_then_wait_for", &["waiting", "/signal/go"]),
        item(1, "greet", &["you"]),
    ]);
    let waiting = ItemMessage::Output { is_error: false, bytes: Bytes(b"waiting\n".to_vec()) };
    assert_eq!(running.receive(), Some(waiting));
    drop(running.child.stdin.take());
    let (index, end) = running.next_end();
    assert_eq!((index, failure(end).kind), (0, FailureKind::Interrupted));
    assert_eq!(running.close(), Some(0));
}

#[test]
fn altered_manifest_is_reported_before_any_item() {
    let prepared = Prepared::new("", &[], |_| {});
    let path = prepared.directory.path().join(names::manifest(RUN));
    let mut manifest = std::fs::read(&path).unwrap();
    *manifest.last_mut().unwrap() ^= 1;
    std::fs::write(path, manifest).unwrap();
    let mut running = Running::start(&prepared);
    let Some(ItemMessage::Unprepared(failure)) = running.receive() else {
        panic!("it is ready");
    };
    assert_eq!(failure.kind, FailureKind::Infrastructure, "{failure:?}");
    assert_eq!(running.close(), Some(0));
}

/// A restarted container gets no key, and must not wait for items.
#[test]
fn start_without_a_key_runs_nothing() {
    let prepared = Prepared::new("", &[], |_| {});
    let ended = hype_run(&["items", &prepared.url(), "--key-file", "-"], &[]);
    assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(4), b"".as_slice()));
}
