//! Errors of runs, submitters and stages.

pub(crate) mod advice;
mod concern;
mod kind;

pub use self::kind::ErrorKind;
pub use hype_wire::{Failure, FailureKind, Frame, Location, Statistics, printable};

use std::fmt;

use hype_stage::{StageError, StageErrorKind};
use hype_wire::exit_status::{FAILED, MACHINERY, WRONG_USAGE};
use hype_wire::{WireError, causes};

use crate::configuration::Key;
use crate::error::advice::advice;
use crate::error::concern::Concern;

/// A result with hype's [`Error`].
///
/// ```no_run
/// fn length() -> hype::Result<u64> {
///     Ok(hype::Component::open("length.wasm")?.bytes().len() as u64)
/// }
/// ```
pub type Result<T> = std::result::Result<T, Error>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error of a submission, a run, a stage or a runner.
///
/// [`Display`](fmt::Display) writes one line; [`source`](std::error::Error::source) returns the cause.
/// [`Debug`](fmt::Debug) writes the full report for a person: causes, the guest's backtrace, and a hint about the fix.
///
/// ```
/// let error = hype::Error::lost("hype-run-tizxijbai4", "the node is gone").hint("submit it again");
/// assert_eq!(error.to_string(), "run hype-run-tizxijbai4 was lost");
/// assert_eq!(
///     format!("{error:?}"),
///     "run hype-run-tizxijbai4 was lost\nCaused by:\n   0: the node is gone\nHint: submit it again"
/// );
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Source>,
    failure: Option<Failure>,
    hint: Option<String>,
    /// The settings that cause it.
    concerns: Vec<Concern>,
    /// True once the hint names the file with these settings.
    is_explained: bool,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            source: None,
            failure: None,
            hint: None,
            concerns: Vec::new(),
            is_explained: false,
        }))
    }

    /// Returns an error of an invalid request.
    ///
    /// ```
    /// let error = hype::Error::input("there is no queue `night`").hint("name one of: day, noon");
    /// assert_eq!(error.report(), "there is no queue `night`\nHint: name one of: day, noon");
    /// ```
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// Returns the error of a run that ended without an outcome, with `reason` as its cause.
    ///
    /// ```
    /// let error = hype::Error::lost("hype-run-tizxijbai4", "the node is gone");
    /// assert!(error.is_lost() && error.is_infrastructure());
    /// ```
    pub fn lost(run_id: &str, reason: impl Into<Source>) -> Self {
        Self::new(ErrorKind::Lost, format!("run {run_id} was lost")).because(reason)
    }

    /// Returns an error of a runner.
    ///
    /// ```
    /// let error = hype::Error::runner("cannot queue the job", "connection refused");
    /// assert_eq!((error.kind(), error.exit_code()), (hype::ErrorKind::Runner, 3));
    /// ```
    pub fn runner(message: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::new(ErrorKind::Runner, message).because(source)
    }

    /// Sets the cause.
    ///
    /// ```
    /// let error = hype::Error::input("cannot read the queues").because("no such file");
    /// assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no such file");
    /// ```
    #[must_use]
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets the causes: the nearest first.
    #[cfg(feature = "local")]
    pub(crate) fn because_messages(mut self, causes: &[String]) -> Self {
        self.0.source = chain(causes);
        self
    }

    /// Sets the hint: advice on the fix.
    ///
    /// ```
    /// let error = hype::Error::input("there is no queue").hint("create one: queue add day");
    /// assert!(error.report().ends_with("Hint: create one: queue add day"));
    /// ```
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Returns an error of the stage.
    pub(crate) fn stage(message: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::new(ErrorKind::Stage, message).because(source).concerning(Key::Staging)
    }

    /// Puts the place of the error before its message: `item 3: closure ..`.
    #[must_use]
    pub(crate) fn prefixed(mut self, place: impl fmt::Display) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Appends `hint` to the hint that the error has.
    #[must_use]
    pub(crate) fn append_hint(self, hint: impl fmt::Display) -> Self {
        let hint = match hint_of(&self) {
            Some(first) => format!("{first}; {hint}"),
            None => hint.to_string(),
        };
        self.hint(hint)
    }

    /// Returns a copy of the error for a second caller. Its causes keep only their messages.
    pub(crate) fn duplicate(&self) -> Self {
        let causes: Vec<_> =
            std::iter::successors(std::error::Error::source(self), |cause| cause.source())
                .map(ToString::to_string)
                .collect();
        let mut copy = Self::new(self.0.kind, &self.0.message);
        copy.0.source = chain(&causes);
        copy.0.failure.clone_from(&self.0.failure);
        copy.0.hint = hint_of(self).map(str::to_owned);
        copy.0.concerns = self.all_concerns().cloned().collect();
        copy.0.is_explained = self.0.is_explained;
        copy
    }

    /// Returns the error of a closure called `function` that ended with `failure`.
    pub(crate) fn failed(function: &str, failure: Failure) -> Self {
        let mut error = Self::new(ErrorKind::Failed, sentence(function, &failure));
        error.0.source = chain(&failure.causes);
        error.0.hint = advice(&failure).map(str::to_owned);
        error.0.failure = Some(failure);
        error
    }

    /// Returns the kind of the error.
    ///
    /// ```
    /// assert_eq!(hype::Error::input("there is no queue").kind(), hype::ErrorKind::Input);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the failure of the closure, if the closure ended with one.
    ///
    /// ```
    /// fn message(error: &hype::Error) -> Option<&str> {
    ///     error.failure().map(|failure| failure.message.as_str())
    /// }
    /// assert_eq!(message(&hype::Error::input("there is no queue")), None);
    /// ```
    pub fn failure(&self) -> Option<&Failure> {
        self.0.failure.as_ref()
    }

    /// Returns whether the run ended without an outcome.
    ///
    /// ```
    /// assert!(hype::Error::lost("hype-run-tizxijbai4", "the node is gone").is_lost());
    /// ```
    pub fn is_lost(&self) -> bool {
        self.kind() == ErrorKind::Lost
    }

    /// Returns whether the infrastructure is the cause and not the function, so that a retry may succeed.
    ///
    /// ```
    /// assert!(!hype::Error::input("there is no queue").is_infrastructure());
    /// ```
    pub fn is_infrastructure(&self) -> bool {
        match self.failure() {
            Some(failure) => failure.kind.is_infrastructure(),
            None => self.is_lost(),
        }
    }

    /// Returns whether an object that was staged was missing when the runner read it.
    pub(crate) fn misses_object(&self) -> bool {
        self.failed_as(FailureKind::Missing)
    }

    /// Returns whether `hype-run` is of another version than this program, or can't run the component.
    pub(crate) fn is_incompatible(&self) -> bool {
        self.failed_as(FailureKind::Incompatible)
    }

    /// Returns whether the closure exceeded its timeout.
    ///
    /// ```
    /// assert!(!hype::Error::input("there is no queue").is_timeout());
    /// ```
    pub fn is_timeout(&self) -> bool {
        self.failed_as(FailureKind::Deadline)
    }

    /// Returns whether the closure panicked.
    ///
    /// ```
    /// assert!(!hype::Error::input("there is no queue").is_panic());
    /// ```
    pub fn is_panic(&self) -> bool {
        self.failed_as(FailureKind::Panic)
    }

    /// Returns whether the closure exceeded its memory limit.
    ///
    /// ```
    /// assert!(!hype::Error::input("there is no queue").is_out_of_memory());
    /// ```
    pub fn is_out_of_memory(&self) -> bool {
        self.failed_as(FailureKind::Memory)
    }

    fn failed_as(&self, kind: FailureKind) -> bool {
        self.failure().is_some_and(|failure| failure.kind == kind)
    }

    /// Returns the exit status of a program that ends with this error: 1 if the closure failed, 2 for invalid input, 3
    /// if the stage, the runner or the infrastructure failed.
    ///
    /// ```
    /// assert_eq!(hype::Error::input("there is no queue").exit_code(), 2);
    /// ```
    pub fn exit_code(&self) -> u8 {
        match (self.kind(), self.failure().map(|failure| failure.kind)) {
            (_, Some(FailureKind::Incompatible)) | (ErrorKind::Input, _) => WRONG_USAGE,
            (_, Some(kind)) if kind.is_infrastructure() => MACHINERY,
            (ErrorKind::Failed, _) => FAILED,
            _ => MACHINERY,
        }
    }

    /// Returns the full report for a person, in several lines: message, causes, the guest's backtrace, hint.
    ///
    /// ```
    /// let error = hype::Error::runner("cannot queue the job", "connection refused");
    /// assert_eq!(error.report(), "cannot queue the job\nCaused by:\n   0: connection refused");
    /// ```
    pub fn report(&self) -> String {
        report(self)
    }
}

/// Returns the full report of any error, including the details of a hype [`Error`] in its chain.
pub(crate) fn report(error: &(dyn std::error::Error + 'static)) -> String {
    let failure = find::<Error>(error).and_then(Error::failure);
    let backtrace = failure.map_or(&[][..], |failure| &failure.backtrace);
    hype_wire::report(error, backtrace, hint_of(error))
}

/// Returns the first hint of the errors in the chain of `error`.
pub fn hint_of<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a str> {
    let of_one = |error: &'a (dyn std::error::Error + 'static)| {
        let own = error.downcast_ref::<Error>().and_then(|hype| hype.0.hint.as_deref());
        own.or_else(|| error.downcast_ref::<StageError>()?.advice())
    };
    std::iter::once(error).chain(causes(error)).find_map(of_one)
}

/// Builds a chain of errors with these messages. Each is the cause of the one before it.
fn chain(messages: &[String]) -> Option<Source> {
    let cause = messages
        .iter()
        .rev()
        .fold(None, |source, message| Some(Box::new(Cause { message: message.clone(), source })));
    cause.map(|cause| cause as Source)
}

/// Returns the first error of type `E` in the chain of `error`.
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

/// A cause of which only the message is known, such as one of a guest.
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

/// Displays the message without characters that a terminal acts on; it may come from a guest.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.0.message))
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
        let of_stage = error.kind();
        Self::new(kind, message).because(error).concerning_stage(of_stage)
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::new(ErrorKind::Runner, "the runner's output cannot be read").because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hype_wire::{Frame, Location};

    #[test]
    fn report_has_causes_location_and_backtrace() {
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
    fn message_of_a_guest_has_no_terminal_controls() {
        let failure = Failure {
            causes: vec!["\u{9b}2J".into()],
            ..Failure::new(FailureKind::Panic, "\u{1b}]0;title\u{7}\u{202e}gpj")
        };
        let error = Error::failed("tr\u{1b}[31main", failure.clone());
        for text in [error.to_string(), format!("{error:?}"), error.report()] {
            assert!(!text.contains(hype_wire::is_unprintable), "{text:?}");
        }
        // A program can read the message as the guest wrote it.
        assert_eq!(error.failure().unwrap().message, failure.message);
    }

    #[test]
    fn report_skips_cause_contained_in_message() {
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
    fn report_skips_duplicate_causes() {
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
    fn each_error_kind_has_its_exit_code() {
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
    fn limit_failures_have_hints() {
        for (kind, hint) in [
            (FailureKind::Memory, "Hint: allow it more"),
            (FailureKind::Deadline, "Hint: give it longer"),
            (FailureKind::Stack, "Hint: recurse less deeply"),
            (FailureKind::Resources, "Hint: keep fewer resources open"),
            (FailureKind::Result, "Hint: write large data to a volume"),
        ] {
            let error = Error::failed("train", Failure::new(kind, "too much"));
            assert!(error.report().contains(hint), "{error:?}");
        }
    }
}
