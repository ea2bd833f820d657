//! The contract between `hype-run` and the program that starts it: command line, variables and files.
//!
//! A runner builds an [`Invocation`] and passes [`Invocation::to_args`] to the process that it starts;
//! `hype-run` parses them back.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lexopt::prelude::{Long, Short, Value, ValueExt};

use crate::digest::Digest;

/// The variable with the number of the attempt, counted from 1, for `hype-run` and the guest.
pub const ATTEMPT_VARIABLE: &str = "HYPE_ATTEMPT";

/// The variable with the run's id, for the guest.
pub const EXECUTION_ID_VARIABLE: &str = "HYPE_EXECUTION_ID";

/// The variable with the directory of `hype-run`'s cache.
pub const CACHE_VARIABLE: &str = "HYPE_CACHE";

/// The file to which a container in Kubernetes writes its termination message.
pub const TERMINATION_LOG: &str = "/dev/termination-log";

/// The unprivileged user and group that run `hype-run` in images.
pub const NONROOT: u32 = 65_532;

/// The grace period between SIGTERM and SIGKILL, in which `hype-run` writes its outcome.
pub const GRACE_PERIOD: Duration = Duration::from_secs(25);

/// The role of a `hype-run` process, named by the first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `run`: runs the one call of a manifest, writes its outcome and exits.
    Run,
    /// `items`: prepares the job of a manifest, runs the items of a map that arrive on the standard input, and writes
    /// their ends to the standard output, see [`items`](crate::items). It ends with its standard input.
    Items,
}

impl Role {
    /// Returns the argument that selects the role.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Items => "items",
        }
    }
}

impl FromStr for Role {
    type Err = UsageError;

    fn from_str(name: &str) -> Result<Self, UsageError> {
        match name {
            "run" => Ok(Self::Run),
            "items" => Ok(Self::Items),
            _ => Err(UsageError(format!("`{name}` is no role of hype-run; there are: run, items"))),
        }
    }
}

/// A command line of `hype-run`.
///
/// ```
/// use hype_wire::launch::{Invocation, KeySource};
///
/// let mut invocation = Invocation::new("gs://bucket/runs/run-1/manifest");
/// invocation.key = Some(KeySource::StandardInput);
/// assert_eq!(invocation.to_args(), ["run", "gs://bucket/runs/run-1/manifest", "--key-file", "-"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invocation {
    /// The role of the process.
    pub role: Role,
    /// The URL of the run's manifest, `STAGE/runs/RUN/manifest`.
    pub manifest_url: String,
    /// The manifest's digest; without it, the manifest is not verified.
    pub digest: Option<Digest>,
    /// The source of the run's key; without it, the outcome is not sealed.
    pub key: Option<KeySource>,
    /// The file to which the termination line is appended.
    pub termination_log: Option<PathBuf>,
    /// Whether both outputs of the guest go to the standard output, with the lines of the standard error marked.
    pub marks_errors: bool,
    /// Whether a log that is too large for the outcome is written to the stage.
    pub keeps_log: bool,
    /// A directory that belongs to this attempt and outlives the process. A second start with it runs nothing.
    pub once: Option<PathBuf>,
    /// Whether granted commands run in separate namespaces, as needed on a shared machine. In a container they
    /// run beside `hype-run`.
    pub isolates_commands: bool,
}

/// The source of a run's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A line of the standard input.
    StandardInput,
    /// A file.
    File(PathBuf),
}

impl Invocation {
    /// Creates the invocation for the manifest at a URL, without options.
    pub fn new(manifest_url: impl Into<String>) -> Self {
        Self {
            role: Role::Run,
            manifest_url: manifest_url.into(),
            digest: None,
            key: None,
            termination_log: None,
            marks_errors: false,
            keeps_log: false,
            once: None,
            isolates_commands: false,
        }
    }

    /// Returns the arguments, without the program's name.
    pub fn to_args(&self) -> Vec<String> {
        let path = |path: &PathBuf| path.display().to_string();
        let key = |key: &KeySource| match key {
            KeySource::StandardInput => "-".to_owned(),
            KeySource::File(file) => path(file),
        };
        let options = [
            ("--digest", self.digest.map(|digest| digest.to_string())),
            ("--key-file", self.key.as_ref().map(key)),
            ("--termination-log", self.termination_log.as_ref().map(path)),
            ("--once", self.once.as_ref().map(path)),
        ];
        let flags = [
            ("--mark-errors", self.marks_errors),
            ("--keep-log", self.keeps_log),
            ("--isolate-commands", self.isolates_commands),
        ];
        let mut arguments = vec![self.role.name().to_owned(), self.manifest_url.clone()];
        for (name, value) in options {
            if let Some(value) = value {
                arguments.extend([name.to_owned(), value]);
            }
        }
        arguments
            .extend(flags.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| (*name).to_owned()));
        arguments
    }

    /// Parses the arguments without the program's name. Returns `None` if they request help.
    ///
    /// # Errors
    ///
    /// Returns an error if the arguments are not a command line of `hype-run`.
    pub fn parse<I>(arguments: I) -> Result<Option<Self>, UsageError>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let (mut role, mut url) = (None, None);
        let mut parsed = Self::new("");
        let mut arguments = lexopt::Parser::from_args(arguments);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("digest") => parsed.digest = Some(arguments.value()?.parse()?),
                Long("key-file") => parsed.key = Some(key_source(arguments.value()?)),
                Long("termination-log") => {
                    parsed.termination_log = Some(arguments.value()?.into());
                }
                Long("mark-errors") => parsed.marks_errors = true,
                Long("keep-log") => parsed.keeps_log = true,
                Long("once") => parsed.once = Some(arguments.value()?.into()),
                Long("isolate-commands") => parsed.isolates_commands = true,
                Short('h') | Long("help") => return Ok(None),
                Value(value) if role.is_none() => role = Some(value.string()?.parse()?),
                Value(value) if url.is_none() => url = Some(value.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        parsed.role =
            role.ok_or_else(|| UsageError("the role is missing: run or items".to_owned()))?;
        parsed.manifest_url =
            url.ok_or_else(|| UsageError("the manifest's URL is missing".to_owned()))?;
        Ok(Some(parsed))
    }
}

fn key_source(value: OsString) -> KeySource {
    if value == "-" { KeySource::StandardInput } else { KeySource::File(value.into()) }
}

/// The error of arguments that are not a command line of `hype-run`.
#[derive(Debug)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Invocation {
        Invocation {
            role: Role::Run,
            manifest_url: "file:///stage/runs/run-1/manifest".into(),
            digest: Some(Digest::of(b"manifest")),
            key: Some(KeySource::StandardInput),
            termination_log: Some("/dev/termination-log".into()),
            marks_errors: true,
            keeps_log: true,
            once: Some("/run/hype/starts".into()),
            isolates_commands: true,
        }
    }

    #[test]
    fn arguments_parse_back_to_their_invocation() {
        let with_file =
            Invocation { key: Some(KeySource::File("/etc/key".into())), ..Invocation::new("url") };
        let of_items = Invocation { role: Role::Items, ..full() };
        let invocations =
            [full(), of_items, with_file, Invocation::new("gs://bucket/runs/a/manifest")];
        for invocation in invocations {
            let parsed = Invocation::parse(invocation.to_args()).unwrap();
            assert_eq!(parsed, Some(invocation));
        }
    }

    #[test]
    fn each_option_changes_the_arguments() {
        let all = full().to_args();
        for name in all.iter().filter(|argument| argument.starts_with("--")) {
            assert!(!Invocation::new("url").to_args().contains(name), "{name}");
        }
        assert_eq!(all.len(), 2 + 4 * 2 + 3);
    }

    #[test]
    fn invalid_arguments_name_the_problem() {
        for (arguments, problem) in [
            (&[][..], "the role is missing: run or items"),
            (
                &["gs://bucket/runs/a/manifest"][..],
                "`gs://bucket/runs/a/manifest` is no role of hype-run",
            ),
            (&["run"][..], "the manifest's URL is missing"),
            (&["run", "a", "b"][..], "unexpected argument \"b\""),
            (&["run", "--digest", "c0ffee", "a"][..], "`c0ffee` is not a BLAKE3 digest"),
            (&["run", "--twice", "a"][..], "invalid option '--twice'"),
        ] {
            let error = Invocation::parse(arguments).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
        assert_eq!(Invocation::parse(["--help"]).unwrap(), None);
    }
}
