//! What `cargo hype` ends with instead of what was asked for.

use std::fmt;

use hype::__internal::{exit_status, report};

/// Why a command failed, for the person who typed it.
pub struct Error(Kind);

enum Kind {
    /// What was asked for cannot be done.
    Input(Message),
    /// Something that we need failed.
    Machinery(Message),
    /// hype says why.
    Hype(hype::Error),
}

struct Message {
    text: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    hint: Option<String>,
}

/// What a command gives.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What was asked for cannot be done, as `text` says.
    pub fn input(text: impl Into<String>) -> Self {
        Self(Kind::Input(Message::new(text)))
    }

    /// Something that we need failed, as `text` says.
    pub fn machinery(text: impl Into<String>) -> Self {
        Self(Kind::Machinery(Message::new(text)))
    }

    /// With what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        if let Kind::Input(message) | Kind::Machinery(message) = &mut self.0 {
            message.source = Some(source.into());
        }
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Kind::Input(message) | Kind::Machinery(message) = &mut self.0 {
            message.hint = Some(hint.into());
        }
        self
    }

    /// The exit status: 1 the closure failed, 2 wrong usage or input, 3 the machinery failed.
    pub fn exit_code(&self) -> u8 {
        match &self.0 {
            Kind::Input(_) => exit_status::WRONG_USAGE,
            Kind::Machinery(_) => exit_status::MACHINERY,
            Kind::Hype(error) => error.exit_code(),
        }
    }

    /// All that a person should read, over several lines.
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
