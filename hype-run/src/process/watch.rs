//! Limits the number of processes of commands that run outside of a room. `RLIMIT_NPROC` can't do that, since it counts
//! the processes of a user in all containers together.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::getpid;

use super::descendants::end_all;
use super::process_table::{Listed, descendants, processes};
use crate::limits::COMMAND_PROCESSES;
use crate::output::{GuestOutput, Stream};

/// The interval between two counts. A few hundred processes can start meanwhile.
const INTERVAL: Duration = Duration::from_millis(20);

/// A thread that kills all descendants of this process when there are too many. Dropping it waits for the thread's end,
/// so that its message is in the output.
pub(super) struct Watch {
    /// The thread ends when this is dropped.
    sender: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts the thread, which writes a message to `output` when it kills the processes.
    ///
    /// # Errors
    ///
    /// Returns an error if the thread can't be created.
    pub(super) fn begin(output: GuestOutput) -> io::Result<Self> {
        Self::repeat(move || limit_processes(&output))
    }

    /// Calls `check` in each interval.
    fn repeat(mut check: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let (sender, dropped) = channel::<()>();
        let repeat = move || {
            while dropped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                check();
            }
        };
        let thread = std::thread::Builder::new().name("hype-commands".to_owned()).spawn(repeat)?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::warn!("the thread that limits the processes of commands has panicked");
        }
    }
}

/// Kills all descendants of this process if there are too many.
fn limit_processes(output: &GuestOutput) {
    let all = processes();
    if !is_too_many(&descendants(&all, getpid())) {
        return;
    }
    // Before the message, which can take long while more processes start.
    if let Err(left) = end_all(all, false) {
        tracing::warn!("processes of commands are still running: {left:?}");
    }
    let message = format!(
        "hype: the commands had more than {COMMAND_PROCESSES} processes and threads, and were killed\n"
    );
    output.write(Stream::Stderr, message.as_bytes());
}

fn is_too_many(running: &[Listed]) -> bool {
    running.iter().map(|process| process.threads).sum::<u64>() > COMMAND_PROCESSES
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn dropped_watch_waits_for_the_message_of_its_check() {
        let (sender, checks) = channel();
        let watch = Watch::repeat(move || {
            sender.send("begun").unwrap();
            // A check takes long where many processes end.
            std::thread::sleep(Duration::from_millis(50));
            sender.send("done").unwrap();
        });
        assert_eq!(checks.recv().unwrap(), "begun");
        drop(watch.unwrap());
        assert_eq!(checks.try_iter().last(), Some("done"));
    }
}
