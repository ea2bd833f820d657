//! What a caller of hype gets instead of a value.

pub(crate) mod advice;

pub use hype_wire::{Failure, FailureKind, Frame, Location, Statistics};

use std::fmt;

use hype_stage::{StageError, StageErrorKind};
use hype_wire::exit_status::{FAILED, MACHINERY, WRONG_USAGE};
use hype_wire::{WireError, causes};

use crate::error::advice::advice;

/// A value, or what happened instead.
pub type Result<T> = std::result::Result<T, Error>;

/// Who can do something about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The closure came to an end without a value; [`Error::failure`] says which.
    Failed,
    /// The run left no trace of how it ended.
    Lost,
    /// What was asked for cannot be done: a component that isn't there, arguments that don't fit.
    Input,
    /// The stage couldn't be used.
    Stage,
    /// The runner couldn't be used.
    Runner,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a submit gave no value.
///
/// [`Display`](fmt::Display) is one line; causes are in [`source`](std::error::Error::source).
/// [`Debug`](fmt::Debug) is the whole report, for a person: causes, the guest's backtrace, and a
/// hint at what to do.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Source>,
    failure: Option<Failure>,
    hint: Option<String>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            source: None,
            failure: None,
            hint: None,
        }))
    }

    /// Returns the error of something that was asked for and cannot be done.
    ///
    /// ```
    /// let error = hype::Error::input("there is no queue `night`").hint("name one of: day, noon");
    /// assert_eq!(error.report(), "there is no queue `night`\nHint: name one of: day, noon");
    /// ```
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// A run that left nothing that says how it ended; `reason` is the nearest cause.
    pub fn lost(run_id: &str, reason: impl Into<Source>) -> Self {
        Self::new(ErrorKind::Lost, format!("run {run_id} was lost")).because(reason)
    }

    /// A runner that couldn't do its part.
    pub fn runner(message: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::new(ErrorKind::Runner, message).because(source)
    }

    /// Returns the error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns the error with advice on what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// A stage that couldn't be used.
    pub(crate) fn stage(message: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::new(ErrorKind::Stage, message).because(source)
    }

    /// The same with `hint` behind what it says already about what to do.
    #[must_use]
    pub(crate) fn hint_also(self, hint: impl fmt::Display) -> Self {
        let hint = match hint_of(&self) {
            Some(first) => format!("{first}; {hint}"),
            None => hint.to_string(),
        };
        self.hint(hint)
    }

    /// The same error once more, for another who waits for it.
    pub(crate) fn again(&self) -> Self {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        let mut again = Self::new(self.0.kind, &self.0.message);
        again.0.source = chain(&causes);
        again.0.failure.clone_from(&self.0.failure);
        again.0.hint = hint_of(self).map(str::to_owned);
        again
    }

    /// The error of a closure called `function` that ended with `failure`.
    pub(crate) fn failed(function: &str, failure: Failure) -> Self {
        let mut error = Self::new(ErrorKind::Failed, sentence(function, &failure));
        error.0.source = chain(&failure.causes);
        error.0.hint = advice(&failure).map(str::to_owned);
        error.0.failure = Some(failure);
        error
    }

    /// Who can do something about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// How the closure ended, when it did.
    pub fn failure(&self) -> Option<&Failure> {
        self.0.failure.as_ref()
    }

    /// Whether the run left no trace of how it ended.
    pub fn is_lost(&self) -> bool {
        self.kind() == ErrorKind::Lost
    }

    /// Whether the function had no part in it, so that another attempt may end otherwise.
    pub fn is_infrastructure(&self) -> bool {
        match self.failure() {
            Some(failure) => failure.kind.is_infrastructure(),
            None => self.is_lost(),
        }
    }

    /// Whether the runner found an object that was staged not to be there.
    pub(crate) fn misses_object(&self) -> bool {
        self.failed_as(FailureKind::Missing)
    }

    /// Whether the closure ran longer than its timeout.
    pub fn is_timeout(&self) -> bool {
        self.failed_as(FailureKind::Deadline)
    }

    /// Whether the closure panicked.
    pub fn is_panic(&self) -> bool {
        self.failed_as(FailureKind::Panic)
    }

    /// Whether the closure needed more memory than it was allowed.
    pub fn is_out_of_memory(&self) -> bool {
        self.failed_as(FailureKind::Memory)
    }

    fn failed_as(&self, kind: FailureKind) -> bool {
        self.failure().is_some_and(|failure| failure.kind == kind)
    }

    /// The exit status of a program that ends with this error: 1 the closure failed, 2 wrong
    /// input, 3 the machinery failed.
    pub fn exit_code(&self) -> u8 {
        match (self.kind(), self.failure().map(|failure| failure.kind)) {
            (_, Some(FailureKind::Incompatible)) | (ErrorKind::Input, _) => WRONG_USAGE,
            (_, Some(kind)) if kind.is_infrastructure() => MACHINERY,
            (ErrorKind::Failed, _) => FAILED,
            _ => MACHINERY,
        }
    }

    /// Everything that a person may want to know, over several lines.
    pub fn report(&self) -> String {
        report(self)
    }
}

/// The same report for any error that may have one of hype's in its chain.
pub(crate) fn report(error: &(dyn std::error::Error + 'static)) -> String {
    let failure = find::<Error>(error).and_then(Error::failure);
    let backtrace = failure.map_or(&[][..], |failure| &failure.backtrace);
    hype_wire::report(error, backtrace, hint_of(error))
}

/// What a person can do about it, where it says so.
fn hint_of<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a str> {
    let hint = find::<Error>(error).and_then(|hype| hype.0.hint.as_deref());
    hint.or_else(|| find::<StageError>(error)?.advice())
}

/// Errors with these messages, each the cause of the one before.
fn chain(messages: &[String]) -> Option<Source> {
    let cause = messages
        .iter()
        .rev()
        .fold(None, |source, message| Some(Box::new(Cause { message: message.clone(), source })));
    cause.map(|cause| cause as Source)
}

/// The first error of one type in the chain of `error`.
pub(crate) fn find<'a, E: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    std::iter::once(error).chain(causes(error)).find_map(|cause| cause.downcast_ref())
}

fn sentence(function: &str, failure: &Failure) -> String {
    let message = &failure.message;
    match failure.kind {
        FailureKind::Function => format!("closure `{function}` failed: {message}"),
        FailureKind::Panic => match &failure.location {
            Some(location) => format!("closure `{function}` panicked at {location}: {message}"),
            None => format!("closure `{function}` panicked: {message}"),
        },
        _ => message.clone(),
    }
}

/// A cause that crossed from the guest as text.
#[derive(Debug)]
struct Cause {
    message: String,
    source: Option<Box<Cause>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|cause| cause as _)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<StageError> for Error {
    fn from(error: StageError) -> Self {
        let (kind, message) = match error.kind() {
            StageErrorKind::Location => (ErrorKind::Input, "the stage cannot be opened"),
            StageErrorKind::File => (ErrorKind::Input, "a file cannot be staged"),
            _ => (ErrorKind::Stage, "the stage failed"),
        };
        Self::new(kind, message).because(error)
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::new(ErrorKind::Runner, "what the runner left cannot be read").because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hype_wire::{Frame, Location};

    #[test]
    fn a_report_has_all_that_the_guest_told() {
        let location = Location { file: "src/lib.rs".into(), line: 12 };
        let frame = Frame { function: "train::step".into(), location: Some(location.clone()) };
        let failure = Failure {
            causes: vec!["first".into(), "second".into()],
            location: Some(location),
            ..Failure::new(FailureKind::Panic, "no weights")
        };
        let error = Error::failed("train", failure.with_backtrace(vec![frame]));
        assert_eq!(
            format!("{error:?}"),
            "closure `train` panicked at src/lib.rs:12: no weights\n\
             Caused by:\n   0: first\n   1: second\n\
             Backtrace of the closure:\n   0: train::step\n        at src/lib.rs:12"
        );
        assert!(error.is_panic() && !error.is_timeout() && !error.is_lost());
    }

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        let failure = Failure {
            causes: vec!["bad header".into(), "no bytes".into()],
            ..Failure::new(FailureKind::Function, "cannot decode: bad header")
        };
        assert_eq!(
            Error::failed("decode", failure).report(),
            "closure `decode` failed: cannot decode: bad header\nCaused by:\n   0: no bytes"
        );
    }

    #[test]
    fn a_cause_that_was_said_further_above_is_not_said_again() {
        let causes = ["connection refused", "tcp connect error", "connection refused"];
        let failure = Failure {
            causes: causes.map(str::to_owned).into(),
            ..Failure::new(FailureKind::Function, "cannot fetch (connection refused) now")
        };
        assert_eq!(
            Error::failed("fetch", failure).report(),
            "closure `fetch` failed: cannot fetch (connection refused) now\nCaused by:\n   0: tcp connect error"
        );
    }

    #[test]
    fn each_end_has_its_exit_code() {
        let failed = |kind| Error::failed("train", Failure::new(kind, "why")).exit_code();
        assert_eq!(failed(FailureKind::Function), 1);
        assert_eq!(failed(FailureKind::Memory), 1);
        assert_eq!(failed(FailureKind::Stack), 1);
        assert_eq!(failed(FailureKind::Resources), 1);
        assert_eq!(failed(FailureKind::Result), 1);
        assert_eq!(failed(FailureKind::Incompatible), 2);
        assert_eq!(failed(FailureKind::Infrastructure), 3);
        assert_eq!(Error::input("what").exit_code(), 2);
        assert_eq!(Error::lost("run-1", "why").exit_code(), 3);
    }

    #[test]
    fn a_hint_says_what_to_do() {
        for (kind, hint) in [
            (FailureKind::Memory, "Hint: allow it more"),
            (FailureKind::Deadline, "Hint: give it longer"),
            (FailureKind::Stack, "Hint: recurse less deeply"),
            (FailureKind::Resources, "Hint: keep less open at once"),
            (FailureKind::Result, "Hint: write what is large to a volume"),
        ] {
            let error = Error::failed("train", Failure::new(kind, "too much"));
            assert!(error.report().contains(hint), "{error:?}");
        }
    }
}
