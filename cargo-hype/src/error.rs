//! The errors of `cargo hype`.

use std::fmt;

use hype::__internal::{exit_status, explain, report};

/// The error of a command: a message, its cause, a hint, and an exit status.
pub struct Error(Kind);

enum Kind {
    /// Wrong usage or input.
    Input(Message),
    /// A failure of a tool, the file system or the network.
    Machinery(Message),
    /// An error of the library hype.
    Hype(hype::Error),
}

struct Message {
    text: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    hint: Option<String>,
}

/// The result of a command.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Creates an error for wrong usage or input.
    pub fn input(text: impl Into<String>) -> Self {
        Self(Kind::Input(Message::new(text)))
    }

    /// Creates an error for a failure of a tool, the file system or the network.
    pub fn machinery(text: impl Into<String>) -> Self {
        Self(Kind::Machinery(Message::new(text)))
    }

    /// Sets the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        if let Kind::Input(message) | Kind::Machinery(message) = &mut self.0 {
            message.source = Some(source.into());
        }
        self
    }

    /// Sets the hint: how to fix the problem.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Kind::Input(message) | Kind::Machinery(message) = &mut self.0 {
            message.hint = Some(hint.into());
        }
        self
    }

    /// Adds to the hint of an error of hype which file sets the values that cause it, if a file does.
    pub(crate) fn explained(self) -> Self {
        match self.0 {
            Kind::Hype(error) => Self(Kind::Hype(explain(error))),
            own => Self(own),
        }
    }

    /// Returns the exit status: 1 the closure failed, 2 wrong usage or input, 3 any other failure.
    pub fn exit_code(&self) -> u8 {
        match &self.0 {
            Kind::Input(_) => exit_status::WRONG_USAGE,
            Kind::Machinery(_) => exit_status::MACHINERY,
            Kind::Hype(error) => error.exit_code(),
        }
    }

    /// Returns the message, the causes and the hint, on several lines.
    pub fn report(&self) -> String {
        match &self.0 {
            Kind::Input(message) | Kind::Machinery(message) => {
                report(self, &[], message.hint.as_deref())
            }
            Kind::Hype(error) => error.report(),
        }
    }
}

impl Message {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), source: None, hint: None }
    }
}

impl From<hype::Error> for Error {
    fn from(error: hype::Error) -> Self {
        Self(Kind::Hype(error))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Input(message) | Kind::Machinery(message) => f.write_str(&message.text),
            Kind::Hype(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Input(message) | Kind::Machinery(message) => {
                message.source.as_deref().map(|source| source as _)
            }
            Kind::Hype(error) => error.source(),
        }
    }
}
