//! The commands of a worker's guest, which the program starts.

use std::marker::PhantomData;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::violation::Violation;
use crate::codec;
use crate::failure::{Failure, Remedy};

/// The maximum size of an encoded [`CommandRequest`], in bytes: the size that Linux allows the arguments and variables of a
/// command of a user with the usual limit of the stack.
pub const MAX_COMMAND: usize = 2 << 20;

/// The maximum number of a command's arguments, and that of its variables. Linux counts at least nine bytes for each.
const MAX_TEXTS: usize = MAX_COMMAND / 8;

/// A message of a worker about one command of its guest. The numbers of a call's commands begin with 0, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandMessage {
    /// The number of the command within its call. A command that doesn't start leaves its number to the next one.
    pub command: u64,
    /// The content of the message.
    pub step: CommandStep,
}

/// One step of a command. The worker starts the next command after the program has responded to the start of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandStep {
    /// The body of the message is a part of the [`CommandRequest`].
    Start {
        /// Whether this is the last part.
        is_last: bool,
    },
    /// The guest kills the command.
    Kill,
}

/// The command that a guest starts. Its grant is not checked yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRequest {
    /// The name of the program.
    pub program: String,
    /// The arguments, without the name of the program.
    #[serde(deserialize_with = "bounded")]
    pub arguments: Vec<String>,
    /// The variables to add or to replace.
    #[serde(deserialize_with = "bounded")]
    pub environment: Vec<(String, String)>,
    /// The variables of the guest to remove.
    #[serde(deserialize_with = "bounded")]
    pub removed: Vec<String>,
    /// Whether all variables of the guest are removed.
    pub clear: bool,
    /// The working directory.
    pub directory: Option<String>,
    /// The standard input.
    pub stdin: CommandStream,
    /// The standard output.
    pub stdout: CommandStream,
    /// The standard error.
    pub stderr: CommandStream,
}

/// The source or target of a standard stream of a command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandStream {
    /// Nothing.
    #[default]
    Null,
    /// The output of the guest.
    Inherit,
    /// A pipe, whose other end the worker receives.
    Piped,
}

impl CommandRequest {
    /// Encodes the request. Returns `None` if it is larger than that of any command that Linux starts.
    ///
    /// ```
    /// use hype_wire::worker::CommandRequest;
    ///
    /// let request = CommandRequest { program: "uname".to_owned(), ..CommandRequest::default() };
    /// let bytes = request.to_bytes().ok_or("too large")?;
    /// assert_eq!(CommandRequest::parse(&bytes)?, request);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let counts = [self.arguments.len(), self.environment.len(), self.removed.len()];
        let bytes = codec::to_vec(self).ok()?;
        let fits = bytes.len() <= MAX_COMMAND && counts.into_iter().all(|it| it <= MAX_TEXTS);
        fits.then_some(bytes)
    }

    /// Decodes a request.
    ///
    /// # Errors
    ///
    /// When it is malformed or too large.
    pub fn parse(bytes: &[u8]) -> Result<Self, Violation> {
        if bytes.len() > MAX_COMMAND {
            return Err(Violation::CommandTooLarge);
        }
        codec::from_slice(bytes).map_err(|_| Violation::Malformed)
    }

    /// Returns the number of the command's pipes.
    pub fn pipes(&self) -> usize {
        let streams = [self.stdin, self.stdout, self.stderr];
        streams.into_iter().filter(|stream| *stream == CommandStream::Piped).count()
    }
}

/// Decodes a list of at most [`MAX_TEXTS`] elements, since short ones need much more memory than their encoding.
fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Bounded<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "a list of at most {MAX_TEXTS} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(element) = sequence.next_element()? {
                if all.len() == MAX_TEXTS {
                    return Err(A::Error::invalid_length(all.len() + 1, &self));
                }
                all.push(element);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_seq(Bounded(PhantomData))
}

/// A message of the program about one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandReport {
    /// The number of the command within its call.
    pub command: u64,
    /// The content of the message.
    pub step: CommandReportStep,
}

/// The response to the start of a command, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandReportStep {
    /// The command runs. The worker's ends of its pipes are attached, in the order of the streams.
    Started,
    /// The command did not start.
    Unstarted(StartError),
    /// The environment doesn't grant the command, which stops the guest.
    Denied {
        /// The denied action.
        what: String,
        /// The builder call that grants it, or the reason why no call does.
        way_out: String,
        /// The kind of grant that solves the problem, if one does.
        remedy: Option<Remedy>,
    },
    /// The machine can't start commands, which ends the run.
    Failed(Failure),
    /// The command has ended, and its output before that was passed on.
    Ended(CommandEnd),
}

/// The reason why a command did not start, as the guest sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartError {
    /// The kind of the error.
    pub kind: StartErrorKind,
    /// The error message, one line.
    pub message: String,
}

/// The kind of a [`StartError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartErrorKind {
    /// The program or the directory doesn't exist.
    NotFound,
    /// The program may not be executed.
    NotAllowed,
    /// An argument, a variable or the directory is invalid.
    Invalid,
    /// The guest has too many commands.
    TooMany,
    /// Any other error of the system.
    Other,
}

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandEnd {
    /// The command exited with this code.
    Exited(i32),
    /// This signal killed the command.
    Signaled(i32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_arrives_unchanged() {
        let request = CommandRequest {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), "echo ä\0".to_owned(), String::new()],
            environment: vec![("A".to_owned(), "1".to_owned())],
            removed: vec!["B".to_owned()],
            clear: true,
            directory: Some("/tmp".to_owned()),
            stdin: CommandStream::Piped,
            stdout: CommandStream::Inherit,
            stderr: CommandStream::Piped,
        };
        assert_eq!(request.pipes(), 2);
        assert_eq!(CommandRequest::parse(&request.to_bytes().unwrap()), Ok(request));
        assert_eq!(CommandRequest::parse(b"\x90"), Err(Violation::Malformed));
    }

    #[test]
    fn request_larger_than_that_of_any_command_is_rejected() {
        let with = |arguments| CommandRequest { arguments, ..CommandRequest::default() };
        let long = with(vec!["a".repeat(MAX_COMMAND)]);
        assert_eq!(long.to_bytes(), None);
        let bytes = codec::to_vec(&long).unwrap();
        assert_eq!(CommandRequest::parse(&bytes), Err(Violation::CommandTooLarge));
        let many = with(vec![String::new(); MAX_TEXTS + 1]);
        assert_eq!(many.to_bytes(), None);
        let bytes = codec::to_vec(&many).unwrap();
        assert_eq!(CommandRequest::parse(&bytes), Err(Violation::Malformed));
        let most = with(vec![String::new(); MAX_TEXTS]);
        assert_eq!(CommandRequest::parse(&most.to_bytes().unwrap()), Ok(most));
    }
}
