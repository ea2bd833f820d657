use std::fmt;

use serde::{Deserialize, Serialize};

use crate::causes::cause_messages;
use crate::shorten::shortened;

/// How many bytes of a message are kept.
const MAX_MESSAGE: usize = 16 << 10;

/// How many causes are kept, the nearest of them; the last then says how many there were more.
const MAX_CAUSES: usize = 32;

/// How many bytes of each cause are kept.
const MAX_CAUSE: usize = 4 << 10;

/// How many frames of a stack are kept, the innermost of them.
const MAX_FRAMES: usize = 256;

/// How many bytes of a function's or a file's name are kept.
const MAX_NAME: usize = 1 << 10;

/// Whose doing an end without a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The function returned an error.
    Function,
    /// The function panicked.
    Panic,
    /// The component did what WebAssembly forbids: unreachable code, memory out of bounds, a
    /// division by zero.
    Trap,
    /// It needed more memory than it was allowed.
    Memory,
    /// It called functions deeper than its stack reaches.
    Stack,
    /// It had more of something else than it was allowed: tables, instances, handles, open files.
    Resources,
    /// Its value is larger than allowed.
    Result,
    /// It ran longer than its timeout.
    Deadline,
    /// It tried what the environment doesn't grant.
    Power,
    /// Program, component and runner don't fit together, or the arguments don't fit the function.
    Incompatible,
    /// The runner was told to stop.
    Interrupted,
    /// An object that the manifest names isn't in the stage: the submitter may stage it again.
    Missing,
    /// What the run needed could not be had: an object of the stage is altered, or out of reach.
    Infrastructure,
}

impl FailureKind {
    /// The kind's name, as it stands in outcomes and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
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

    /// Whether another attempt may end otherwise, because the function had no part in this end.
    pub fn is_infrastructure(self) -> bool {
        matches!(self, Self::Interrupted | Self::Missing | Self::Infrastructure)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What would have let a function go on, where its failure's kind alone doesn't tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Remedy {
    /// Less memory: it had all that WebAssembly can address.
    LessMemory,
    /// A grant of a command.
    GrantCommand,
    /// A grant of an HTTP host.
    GrantHttp,
    /// A return instead of `exit`.
    Return,
    /// Another user, who can write to a mount.
    OtherUser,
}

/// Why a run gave no value, as told by the runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whose doing it is.
    pub kind: FailureKind,
    /// One line that says what went wrong.
    pub message: String,
    /// What caused it, the nearest cause first.
    #[serde(default)]
    pub causes: Vec<String>,
    /// Where in the sources it happened, when a panic told.
    #[serde(default)]
    pub location: Option<Location>,
    /// The guest's stack, the innermost frame first; empty where there is none to show.
    #[serde(default)]
    pub backtrace: Vec<Frame>,
    /// What would have helped, where the kind alone doesn't tell.
    #[serde(default)]
    pub remedy: Option<Remedy>,
}

impl Failure {
    /// A failure with a message and nothing else.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            location: None,
            backtrace: Vec::new(),
            remedy: None,
        }
    }

    /// A failure with the message and the causes of `error`.
    pub fn from_error(kind: FailureKind, error: &dyn std::error::Error) -> Self {
        Self { causes: cause_messages(error), ..Self::new(kind, error.to_string()) }
    }

    /// Returns the failure with what would have helped.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<Option<Remedy>>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// The same failure with a backtrace.
    #[must_use]
    pub fn with_backtrace(mut self, backtrace: Vec<Frame>) -> Self {
        self.backtrace = backtrace;
        self
    }

    /// The same failure with no more than a person would read, whatever a guest wrote into it. What
    /// is left out is counted.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        self.message = shortened(self.message, MAX_MESSAGE);
        if self.causes.len() > MAX_CAUSES {
            let left_out = self.causes.split_off(MAX_CAUSES - 1).len();
            self.causes.push(format!("{left_out} causes more"));
        }
        self.causes = self.causes.into_iter().map(|cause| shortened(cause, MAX_CAUSE)).collect();
        self.location = self.location.map(Location::shortened);
        self.backtrace.truncate(MAX_FRAMES);
        self.backtrace = self.backtrace.into_iter().map(Frame::shortened).collect();
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A place in the guest's sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The file, as the compiler named it.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
}

impl Location {
    fn shortened(self) -> Self {
        Self { file: shortened(self.file, MAX_NAME), line: self.line }
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
    /// The function's demangled name, or its index when the component carries no names.
    pub function: String,
    /// Where it was, when the component carries line tables.
    #[serde(default)]
    pub location: Option<Location>,
}

impl Frame {
    fn shortened(self) -> Self {
        Self {
            function: shortened(self.function, MAX_NAME),
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
