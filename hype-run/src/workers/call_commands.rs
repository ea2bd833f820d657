//! The commands of a call in a worker, which the program starts in a room of its own.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hype_wire::worker::{
    CommandReportStep, CommandRequest, CommandStream, StartError, StartErrorKind,
};
use hype_wire::{Access, Failure, Job};
use rustix::fs::{Mode, OFlags};

use crate::blocking::without_delaying_others;
use crate::budget::Budget;
use crate::execution::CallContext;
use crate::layout::{Layout, sandbox_failure};
use crate::process::{
    Changes, Command, CommandIsolation, Commands, Ending, ErrorKind, Shown, Stdio, Unstarted,
};
use crate::scratch::Scratch;
use crate::truncate;

/// The commands of one call, and their room. Dropping it ends all their processes.
pub(super) struct CallCommands {
    /// Declared before the directory below which their room was created.
    commands: Mutex<Commands>,
    shown: Vec<Shown>,
    tmp: Arc<OwnedFd>,
    _scratch: Scratch,
}

/// The response to the start of a command.
pub(super) struct Response {
    pub(super) step: CommandReportStep,
    /// The worker's ends of the command's pipes.
    pub(super) pipes: Vec<OwnedFd>,
    /// The end of a command that has started.
    pub(super) end: Option<Ending>,
}

impl CallCommands {
    /// Creates the room for the commands of a call. Returns `None` if none is granted.
    ///
    /// # Errors
    ///
    /// A failure of the kind `infrastructure` if the machine can't have the room.
    pub(super) fn new(context: &CallContext<'_>) -> Result<Option<Self>, Failure> {
        if context.job.powers.commands.is_empty() {
            return Ok(None);
        }
        without_delaying_others(|| Self::create(context))
    }

    fn create(context: &CallContext<'_>) -> Result<Option<Self>, Failure> {
        let CallContext { job, run_id, request, layout, output, .. } = context;
        let failed =
            |error| sandbox_failure("cannot create the directory of a call's commands", &error);
        let scratch = Scratch::new().map_err(failed)?;
        let variables = request.variables.for_guest(job, run_id, request.attempt);
        // The number of commands bounds what this process holds for them.
        let budget = Budget::new(u64::MAX);
        let isolation = CommandIsolation::Namespaces;
        let mut commands = Commands::new(job, variables, isolation, output, &budget);
        let mut shown = shown(job, layout);
        let Some(tmp) = commands.make_room(&shown, scratch.path())? else { return Ok(None) };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(&tmp, flags, Mode::empty());
        let opened = opened.map_err(|error| failed(error.into()))?;
        shown.push(read_write("/tmp", &tmp));
        let (commands, tmp) = (Mutex::new(commands), Arc::new(opened));
        Ok(Some(Self { commands, shown, tmp, _scratch: scratch }))
    }

    /// Returns the `/tmp` that the guest shares with its commands.
    pub(super) fn tmp(&self) -> &Arc<OwnedFd> {
        &self.tmp
    }

    /// Starts a command if the environment grants it.
    pub(super) fn start(&self, request: CommandRequest) -> Response {
        let CommandRequest { program, arguments, environment, removed, clear, directory, .. } =
            request;
        let command = Command {
            program,
            arguments,
            environment: Vec::new(),
            removed: Vec::new(),
            clear,
            directory,
            stdin: stdio(request.stdin),
            stdout: stdio(request.stdout),
            stderr: stdio(request.stderr),
        };
        let changes = Changes { clear, removed, set: environment };
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let started = commands.start(&command, &changes, &self.shown).and_then(|spawned| {
            let other = |error| {
                let message = format!("cannot start `{}`: {error}", command.program);
                Unstarted::Error(ErrorKind::Other, message)
            };
            spawned.into_pipes().map_err(other)
        });
        match started {
            Ok((pipes, end)) => {
                Response { step: CommandReportStep::Started, pipes, end: Some(end) }
            }
            Err(unstarted) => Response { step: step(unstarted), pipes: Vec::new(), end: None },
        }
    }
}

/// Returns the directories that the guest sees, without `/tmp`.
fn shown(job: &Job, layout: &Layout) -> Vec<Shown> {
    let roots = layout.roots().iter().map(|root| Shown {
        path: root.path.clone(),
        real: root.real.clone(),
        access: Access::ReadOnly,
        is_beside: true,
    });
    let mounts = job.mounts.iter().map(|mount| Shown {
        path: mount.path.to_string(),
        real: PathBuf::from(&mount.source),
        access: mount.access,
        is_beside: false,
    });
    roots.chain(mounts).collect()
}

fn read_write(path: &str, real: &Path) -> Shown {
    let access = Access::ReadWrite;
    Shown { path: path.to_owned(), real: real.to_owned(), access, is_beside: false }
}

fn stdio(stream: CommandStream) -> Stdio {
    match stream {
        CommandStream::Null => Stdio::Null,
        CommandStream::Inherit => Stdio::Inherit,
        CommandStream::Piped => Stdio::Piped,
    }
}

/// Returns the report of a command that did not start. Its texts, which the worker determines, are truncated to fit into a
/// message.
fn step(unstarted: Unstarted) -> CommandReportStep {
    let (kind, message) = match unstarted {
        Unstarted::Error(kind, message) => (kind, message),
        Unstarted::Denied(denied) => {
            return CommandReportStep::Denied {
                what: truncate::message(&denied.what),
                way_out: truncate::message(&denied.way_out),
                remedy: denied.remedy,
            };
        }
        Unstarted::Failed(failure) => return CommandReportStep::Failed(failure.shortened()),
        Unstarted::OverBudget(error) => (ErrorKind::Other, error.to_string()),
    };
    let kind = match kind {
        ErrorKind::NotFound => StartErrorKind::NotFound,
        ErrorKind::NotAllowed => StartErrorKind::NotAllowed,
        ErrorKind::Invalid => StartErrorKind::Invalid,
        ErrorKind::TooMany => StartErrorKind::TooMany,
        ErrorKind::Other => StartErrorKind::Other,
    };
    CommandReportStep::Unstarted(StartError { kind, message: truncate::message(&message) })
}
