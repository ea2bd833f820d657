use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::causes::cause_messages;
use crate::codec;
use crate::error::WireError;
use crate::shorten::shorten;

/// The maximum size of a message, in bytes.
const MAX_MESSAGE: usize = 16 << 10;

/// The maximum number of causes. The last is replaced by the number of causes left out.
const MAX_CAUSES: usize = 32;

/// The maximum size of one cause, in bytes.
const MAX_CAUSE: usize = 4 << 10;

/// The maximum size of the error that a function returned, in bytes of MessagePack. A larger one is left out.
const MAX_VALUE: usize = 64 << 10;

/// The maximum number of backtrace frames; the innermost are kept.
const MAX_FRAMES: usize = 256;

/// The maximum size of the name of a function or a file, in bytes.
const MAX_NAME: usize = 1 << 10;

/// The reason why a run ended without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The function returned an error.
    Function,
    /// The program exited with a status other than 0.
    Exit,
    /// The function panicked.
    Panic,
    /// The component trapped: unreachable code, memory out of bounds, division by zero.
    Trap,
    /// The guest exceeded its memory limit.
    Memory,
    /// The guest exhausted its stack.
    Stack,
    /// The guest exceeded another limit: tables, instances, handles, open files.
    Resources,
    /// The value exceeds the size limit.
    Result,
    /// The function exceeded its timeout.
    Deadline,
    /// The guest used a power that the environment doesn't grant.
    Power,
    /// Program, component and runner don't fit together, or the arguments don't fit the function.
    Incompatible,
    /// The runner was stopped by a signal.
    Interrupted,
    /// An object named by the manifest is missing from the stage; the submitter may stage it again.
    Missing,
    /// Something that the run needs is unavailable: an object of the stage is altered or unreachable.
    Infrastructure,
}

impl FailureKind {
    /// Returns the kind's name, as in outcomes and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Exit => "exit",
            Self::Panic => "panic",
            Self::Trap => "trap",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Resources => "resources",
            Self::Result => "result",
            Self::Deadline => "deadline",
            Self::Power => "power",
            Self::Incompatible => "incompatible",
            Self::Interrupted => "interrupted",
            Self::Missing => "missing",
            Self::Infrastructure => "infrastructure",
        }
    }

    /// Returns whether the failure is independent of the function, so that a retry may succeed.
    ///
    /// ```
    /// use hype_wire::FailureKind;
    ///
    /// assert!(FailureKind::Interrupted.is_infrastructure());
    /// assert!(!FailureKind::Panic.is_infrastructure());
    /// ```
    pub fn is_infrastructure(self) -> bool {
        matches!(self, Self::Interrupted | Self::Missing | Self::Infrastructure)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change that would have prevented a failure, where the failure's kind alone doesn't determine it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Remedy {
    /// Use less memory: the guest had all that WebAssembly can address.
    LessMemory,
    /// Grant the command.
    GrantCommand,
    /// Grant the HTTP host.
    GrantHttp,
    /// Return from the function instead of calling `exit`.
    Return,
    /// Run as another user, who can write to the mount.
    OtherUser,
}

/// The failure of a run, as reported by the runner.
///
/// ```
/// use hype_wire::{Failure, FailureKind};
///
/// let failure = Failure::new(FailureKind::Function, "no such file");
/// assert_eq!(failure.kind.as_str(), "function");
/// assert_eq!(failure.to_string(), "no such file");
///
/// let error = "abc".parse::<u32>().unwrap_err();
/// let failure = Failure::from_error(FailureKind::Incompatible, &error);
/// assert_eq!(failure.message, "invalid digit found in string");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The reason of the failure.
    pub kind: FailureKind,
    /// One line that describes the failure.
    pub message: String,
    /// The messages of the causes, the nearest cause first.
    #[serde(default)]
    pub causes: Vec<String>,
    /// The source location of a panic.
    #[serde(default)]
    pub location: Option<Location>,
    /// The guest's stack, the innermost frame first; empty if unknown.
    #[serde(default)]
    pub backtrace: Vec<Frame>,
    /// The remedy, where the kind alone doesn't determine it.
    #[serde(default)]
    pub remedy: Option<Remedy>,
    /// The error that a function with WIT types returned, as MessagePack: the `E` of `result<_, E>`. `None` if
    /// it exceeds 64 KiB. After the end of a program, its [`ProgramOutput`](crate::ProgramOutput).
    #[serde(default)]
    pub value: Option<Box<Bytes>>,
    /// The status of a program that exited with another status than 0.
    #[serde(default)]
    pub exit_status: Option<u8>,
}

impl Failure {
    /// Creates a failure with a message and nothing else.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            location: None,
            backtrace: Vec::new(),
            remedy: None,
            value: None,
            exit_status: None,
        }
    }

    /// Creates the failure of the program `name`, which exited with `status`.
    ///
    /// ```
    /// let failure = hype_wire::Failure::of_exit("grep", 2);
    /// assert_eq!((failure.to_string().as_str(), failure.exit_status), ("`grep` exited with status 2", Some(2)));
    /// ```
    pub fn of_exit(name: &str, status: u8) -> Self {
        let message = format!("`{name}` exited with status {status}");
        Self { exit_status: Some(status), ..Self::new(FailureKind::Exit, message) }
    }

    /// Creates a failure with the message and the causes of `error`.
    pub fn from_error(kind: FailureKind, error: &dyn std::error::Error) -> Self {
        Self { causes: cause_messages(error), ..Self::new(kind, error.to_string()) }
    }

    /// Returns the error that a function with WIT types returned, the `E` of `result<_, E>`, or the
    /// [`ProgramOutput`](crate::ProgramOutput) of a program.
    ///
    /// ```
    /// use hype_wire::{Bytes, Failure, FailureKind, codec};
    ///
    /// let mut failure = Failure::new(FailureKind::Function, "not-found");
    /// failure.value = Some(Box::new(Bytes(codec::to_vec("not-found")?)));
    /// assert_eq!(failure.value::<String>()?, "not-found");
    /// # Ok::<(), hype_wire::WireError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the failure has no value, or one of another type.
    pub fn value<E: DeserializeOwned + 'static>(&self) -> Result<E, WireError> {
        match &self.value {
            Some(value) => codec::from_wit(value.0.clone()),
            None => Err(WireError::new("the failure has no value")),
        }
    }

    /// Sets the remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<Option<Remedy>>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Sets the backtrace.
    #[must_use]
    pub fn with_backtrace(mut self, backtrace: Vec<Frame>) -> Self {
        self.backtrace = backtrace;
        self
    }

    /// Truncates messages, causes, names and backtrace to their maximum sizes, since a guest chooses
    /// them. Notes how much of a text is left out.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        self.message = shorten(self.message, MAX_MESSAGE);
        if self.causes.len() > MAX_CAUSES {
            let left_out = self.causes.split_off(MAX_CAUSES - 1).len();
            self.causes.push(format!("{left_out} causes more"));
        }
        self.causes = self.causes.into_iter().map(|cause| shorten(cause, MAX_CAUSE)).collect();
        self.location = self.location.map(Location::shortened);
        self.backtrace.truncate(MAX_FRAMES);
        self.backtrace = self.backtrace.into_iter().map(Frame::shortened).collect();
        self.value = self.value.filter(|value| value.len() <= MAX_VALUE);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A location in the guest's sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The file's path, as recorded by the compiler.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
}

impl Location {
    fn shortened(self) -> Self {
        Self { file: shorten(self.file, MAX_NAME), line: self.line }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One frame of a guest's stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The function's demangled name, or its index if the component has no names.
    pub function: String,
    /// The source location, if the component has line tables.
    #[serde(default)]
    pub location: Option<Location>,
}

impl Frame {
    fn shortened(self) -> Self {
        Self {
            function: shorten(self.function, MAX_NAME),
            location: self.location.map(Location::shortened),
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        match &self.location {
            Some(location) => write!(f, " at {location}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FailureKind::{self, *};

    #[test]
    fn kinds_have_the_names_that_serde_writes() {
        let all = [
            Function,
            Exit,
            Panic,
            Trap,
            Memory,
            Stack,
            Resources,
            Result,
            Deadline,
            Power,
            Incompatible,
            Interrupted,
            Missing,
            Infrastructure,
        ];
        // The list is complete, as long as this is the last variant.
        assert_eq!(all.len(), Infrastructure as usize + 1);
        for kind in all {
            let bytes = crate::object::to_vec(kind.as_str()).unwrap();
            assert_eq!(crate::object::from_slice::<FailureKind>(&bytes).unwrap(), kind);
        }
    }
}
