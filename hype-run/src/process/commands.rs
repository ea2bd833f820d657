//! What one guest may start, and has started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hype_wire::{Access, CommandName, Failure, Job, Mount, Remedy};
use tokio::sync::{Notify, Semaphore, watch};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, Pollable};

use super::calls::{Command, ErrorKind, ExitStatus};
use super::place::{CommandPlace, Place, Shown};
use super::resolve::{self, Unresolved};
use super::variables::{Said, variables};
use crate::limits::COMMANDS;
use crate::output::Output;
use crate::power::Denied;

/// Where programs are looked for where this process has no `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a command wasn't started.
pub(crate) enum Unstarted {
    /// The guest is told so.
    Told(ErrorKind, String),
    /// The guest may not start it.
    Denied(Denied),
    /// The run ends.
    Failed(Failure),
}

/// The commands of one guest. All of them have ended when this is dropped.
pub(crate) struct Commands {
    granted: BTreeMap<String, Result<PathBuf, Unresolved>>,
    seen: BTreeMap<String, String>,
    path: String,
    output: Output,
    running: Arc<Semaphore>,
    place: Place,
}

/// A command and all that it needs to be started.
pub(crate) struct Start<'a> {
    pub(crate) command: &'a Command,
    pub(crate) file: &'a Path,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) output: &'a Output,
}

impl Commands {
    /// Those that `job` grants to a guest that sees `seen`, to be started at `place`.
    pub(crate) fn new(
        job: &Job,
        seen: BTreeMap<String, String>,
        place: CommandPlace,
        output: &Output,
    ) -> Self {
        let granted = &job.powers.commands;
        let path = std::env::var("PATH").unwrap_or_else(|_| PATH.to_owned());
        let writable = if granted.is_empty() { Vec::new() } else { writable(&job.mounts) };
        let resolved = |name: &CommandName| {
            let name = name.as_str();
            let found = resolve::resolve(name, path.as_ref(), &writable, resolve::program);
            (name.to_owned(), found)
        };
        Self {
            granted: granted.iter().map(resolved).collect(),
            seen,
            path,
            output: output.clone(),
            running: Arc::new(Semaphore::new(COMMANDS)),
            place: Place::new(place),
        }
    }

    /// Makes sure that the guest may start `program` at all.
    pub(crate) fn check(&self, program: &str) -> Result<(), Unstarted> {
        if self.granted.contains_key(program) {
            return Ok(());
        }
        let name = program.rsplit('/').next().unwrap_or_default();
        let is_granted = self.granted.contains_key(name);
        let way_out = match (is_granted, name == program) {
            (true, _) => format!("it grants `{name}`, and commands are started by their names"),
            (false, true) => format!("RunEnvironment::allow_command({name:?}) would"),
            (false, false) => format!(
                "RunEnvironment::allow_command({name:?}) would grant `{name}`, and commands are started by \
                 their names"
            ),
        };
        let remedy = (!is_granted).then_some(Remedy::GrantCommand);
        Err(Unstarted::Denied(Denied { what: format!("started `{program}`"), way_out, remedy }))
    }

    /// Starts `command` for a guest that is shown `shown`. What is made for that goes below `scratch`.
    pub(crate) fn start(
        &mut self,
        (command, said): (&Command, &Said),
        shown: &[Shown],
        scratch: &Path,
    ) -> Result<Child, Unstarted> {
        let program = &command.program;
        let invalid = |message| Unstarted::Told(ErrorKind::Invalid, message);
        self.check(program)?;
        if command.arguments.iter().any(|argument| argument.contains('\0')) {
            return Err(invalid(format!("an argument of `{program}` has a zero byte")));
        }
        if let Some(directory) = command.directory.as_deref().filter(|path| *path != "/") {
            hype_wire::check_guest_path(directory).map_err(invalid)?;
        }
        let variables = variables(&self.seen, said, &self.path).map_err(invalid)?;
        let file = match self.granted.get(program) {
            Some(Ok(file)) => file,
            Some(Err(error)) => {
                let kind = match error {
                    Unresolved::Missing { .. } => ErrorKind::NotFound,
                    Unresolved::Writable { .. } => ErrorKind::NotAllowed,
                };
                return Err(Unstarted::Told(kind, format!("cannot start `{program}`: {error}")));
            }
            None => return self.check(program).and(Err(invalid(program.clone()))),
        };
        let permit = Arc::clone(&self.running).try_acquire_owned().map_err(|_| {
            let message = format!("cannot start `{program}`: {COMMANDS} commands are running");
            Unstarted::Told(ErrorKind::TooMany, message)
        })?;
        let start = Start { command, file, variables, output: &self.output };
        self.place.start(start, shown, scratch, permit)
    }
}

impl Commands {
    /// Ends all that was started, with all that it started in turn.
    pub(crate) fn end(&mut self) {
        self.place.end();
    }
}

/// Where closures may write to on this machine, or would in a place that shows what `mounts` say.
fn writable(mounts: &[Mount]) -> Vec<PathBuf> {
    let mounts = mounts.iter().filter(|mount| mount.access == Access::ReadWrite);
    let mounts = mounts.flat_map(|mount| [&mount.source, &mount.path]).map(PathBuf::from);
    let all = mounts.chain([PathBuf::from("/tmp"), std::env::temp_dir()]);
    // As programs are compared: without links.
    all.flat_map(|path| [path.canonicalize().ok(), Some(path)]).flatten().collect()
}

/// A command that was started.
#[expect(unreachable_pub, reason = "generated code exports it from a module that nobody reaches")]
pub struct Child {
    pub(crate) stdin: Option<DynOutputStream>,
    pub(crate) stdout: Option<DynInputStream>,
    pub(crate) stderr: Option<DynInputStream>,
    pub(crate) end: Ending,
}

/// The end of a command, as the guest learns of it or brings it about.
#[derive(Clone)]
pub(crate) struct Ending {
    status: watch::Receiver<Option<ExitStatus>>,
    kill: Arc<Notify>,
}

impl Ending {
    pub(crate) fn new(status: watch::Receiver<Option<ExitStatus>>, kill: Arc<Notify>) -> Self {
        Self { status, kill }
    }

    /// How it ended, once it has.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    /// Ends it at once, with its group.
    pub(crate) fn kill(&self) {
        self.kill.notify_one();
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Ending {
    async fn ready(&mut self) {
        // Whoever would tell is gone only after having told.
        let _ = self.status.wait_for(Option::is_some).await;
    }
}
