//! The states of the commands of one call, in the program.

use std::collections::BTreeSet;

use super::command::{CommandMessage, CommandRequest, CommandStep, MAX_COMMAND};
use super::violation::Violation;

/// The commands of one call that have not ended, without I/O. Rejects each message that a worker must not send.
///
/// ```
/// use hype_wire::worker::{CommandMessage, CommandStep, OpenCommands, Violation};
///
/// let mut open = OpenCommands::new(64);
/// let message = CommandMessage { command: 3, step: CommandStep::Kill };
/// assert_eq!(open.receive(message, b"").err(), Some(Violation::UnknownCommand));
/// ```
#[derive(Debug)]
pub struct OpenCommands {
    max: usize,
    /// The number of the next command.
    next: u64,
    start: Start,
    running: BTreeSet<u64>,
}

/// The start of the next command.
#[derive(Debug)]
enum Start {
    /// A part of the request after this beginning.
    Request(Vec<u8>),
    /// The response of the program.
    Response,
}

/// The meaning of a worker's message.
#[derive(Debug)]
pub enum CommandEvent {
    /// The guest starts this command. The program responds with [`OpenCommands::responded`].
    Start(Box<CommandRequest>),
    /// The guest kills the command of the message, which has not ended.
    Kill,
}

impl OpenCommands {
    /// Creates the state of a call that may have `max` commands at once.
    pub fn new(max: usize) -> Self {
        Self { max, next: 0, start: Start::Request(Vec::new()), running: BTreeSet::new() }
    }

    /// Receives a message with its body. Returns `None` if more parts follow, or the command has ended meanwhile.
    ///
    /// # Errors
    ///
    /// When the worker must not send the message.
    pub fn receive(
        &mut self,
        message: CommandMessage,
        body: &[u8],
    ) -> Result<Option<CommandEvent>, Violation> {
        let CommandMessage { command, step } = message;
        match step {
            CommandStep::Start { is_last } if command == self.next => {
                self.receive_start(body, is_last)
            }
            CommandStep::Start { .. } => Err(Violation::UnknownCommand),
            CommandStep::Kill if !body.is_empty() => Err(Violation::Malformed),
            // The worker may not know yet that the command has ended.
            CommandStep::Kill if command < self.next => {
                Ok(self.running.contains(&command).then_some(CommandEvent::Kill))
            }
            CommandStep::Kill => Err(Violation::UnknownCommand),
        }
    }

    fn receive_start(
        &mut self,
        part: &[u8],
        is_last: bool,
    ) -> Result<Option<CommandEvent>, Violation> {
        let Start::Request(bytes) = &mut self.start else { return Err(Violation::StartPending) };
        if self.running.len() >= self.max {
            return Err(Violation::TooManyCommands);
        }
        if bytes.len() + part.len() > MAX_COMMAND {
            return Err(Violation::CommandTooLarge);
        }
        bytes.extend_from_slice(part);
        if !is_last {
            return Ok(None);
        }
        let request = CommandRequest::parse(bytes)?;
        self.start = Start::Response;
        Ok(Some(CommandEvent::Start(Box::new(request))))
    }

    /// Returns whether the command with this number has not ended.
    pub fn contains(&self, command: u64) -> bool {
        self.running.contains(&command)
    }

    /// Returns the number of commands that have not ended.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Returns whether all commands have ended.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Returns the number of the next command.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The response to the start of the next command is sent now. It has started if `is_started`.
    pub fn responded(&mut self, is_started: bool) {
        self.start = Start::Request(Vec::new());
        if is_started {
            self.running.insert(self.next);
            self.next += 1;
        }
    }

    /// The report of the end of a command is sent now.
    pub fn ended(&mut self, command: u64) {
        self.running.remove(&command);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: CommandStep = CommandStep::Start { is_last: true };

    fn receive(
        open: &mut OpenCommands,
        command: u64,
        step: CommandStep,
        body: &[u8],
    ) -> Result<Option<String>, Violation> {
        let event = open.receive(CommandMessage { command, step }, body)?;
        Ok(event.map(|event| format!("{event:?}")))
    }

    fn request() -> Vec<u8> {
        CommandRequest::default().to_bytes().unwrap()
    }

    #[test]
    fn command_starts_is_killed_and_ends() {
        let (mut open, request) = (OpenCommands::new(1), request());
        let part = CommandStep::Start { is_last: false };
        assert_eq!(receive(&mut open, 0, part, &request[..2]), Ok(None));
        assert!(receive(&mut open, 0, LAST, &request[2..]).unwrap().unwrap().starts_with("Start"));
        open.responded(true);
        assert_eq!((open.next(), open.len(), open.contains(0)), (1, 1, true));
        assert_eq!(receive(&mut open, 0, CommandStep::Kill, b"").unwrap().unwrap(), "Kill");
        open.ended(0);
        assert!(open.is_empty());
        assert_eq!(receive(&mut open, 0, CommandStep::Kill, b""), Ok(None));
    }

    #[test]
    fn command_that_does_not_start_leaves_its_number() {
        let mut open = OpenCommands::new(1);
        for _ in 0..2 {
            assert!(receive(&mut open, 0, LAST, &request()).unwrap().is_some());
            open.responded(false);
        }
        assert_eq!(receive(&mut open, 0, CommandStep::Kill, b""), Err(Violation::UnknownCommand));
    }

    #[test]
    fn violations_are_found() {
        let mut open = OpenCommands::new(1);
        let mut reject = |command, step, body: &[u8], violation| {
            assert_eq!(receive(&mut open, command, step, body), Err(violation), "{step:?}");
        };
        reject(1, LAST, &request(), Violation::UnknownCommand);
        reject(0, CommandStep::Kill, b"x", Violation::Malformed);
        reject(0, LAST, b"\x90", Violation::Malformed);
        let mut open = OpenCommands::new(1);
        receive(&mut open, 0, LAST, &request()).unwrap();
        assert_eq!(receive(&mut open, 0, LAST, &request()), Err(Violation::StartPending));
        open.responded(true);
        assert_eq!(receive(&mut open, 0, LAST, &request()), Err(Violation::UnknownCommand));
        assert_eq!(receive(&mut open, 1, LAST, &request()), Err(Violation::TooManyCommands));
        open.ended(0);
        assert!(receive(&mut open, 1, LAST, &request()).unwrap().is_some());
    }

    #[test]
    fn request_in_parts_is_bounded() {
        let mut open = OpenCommands::new(1);
        let mut send =
            || receive(&mut open, 0, CommandStep::Start { is_last: false }, &[0; MAX_COMMAND / 4]);
        (0..4).for_each(|_| drop(send().unwrap()));
        assert_eq!(send(), Err(Violation::CommandTooLarge));
    }
}
