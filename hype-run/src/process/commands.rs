//! The commands of one guest: the granted and the started ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hype_wire::{
    Access, CommandName, CommandRights, Failure, GuestPath, Job, Mount, Remedy, VariableName,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, Pollable};

use super::calls::{Command, ErrorKind, ExitStatus};
use super::isolation::CommandIsolation;
use super::place::{Place, Shown, Spawned, Surroundings};
use super::resolve::{self, Unresolved};
use super::variables::{Changes, variables};
use crate::budget::{Budget, OverBudget};
use crate::limits::{Bounds, COMMANDS};
use crate::output::GuestOutput;
use crate::power::Denied;
use crate::quota::CommandEvents;

/// The search path for programs if this process has no `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The reason for which a command didn't start.
pub(crate) enum Unstarted {
    /// An error that the guest's call returns.
    Error(ErrorKind, String),
    /// The environment doesn't grant the command, which ends the closure.
    Denied(Denied),
    /// A failure of the host, which ends the run.
    Failed(Failure),
    /// The host would hold more for the guest than its memory limit, which ends the closure.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "commands start only on Linux")
    )]
    OverBudget(OverBudget),
}

/// A slot of one of a guest's concurrent commands. The process of the command and each of its open streams hold it.
pub(crate) type Slot = Arc<OwnedSemaphorePermit>;

/// The commands of one guest. Dropping it ends all their processes.
pub(crate) struct Commands {
    granted: BTreeMap<String, Granted>,
    seen: BTreeMap<String, String>,
    /// The names of the variables that the job's environment sets. The guest may change them for a command.
    own: BTreeSet<String>,
    path: String,
    bounds: Bounds,
    output: GuestOutput,
    budget: Budget,
    running: Arc<Semaphore>,
    events: CommandEvents,
    place: Place,
}

/// A granted command: its program and its rights.
struct Granted {
    file: Result<PathBuf, Unresolved>,
    rights: CommandRights,
}

/// A command with its program, variables and output.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "commands start on Linux alone"))]
pub(crate) struct Start<'a> {
    pub(crate) command: &'a Command,
    pub(crate) file: &'a Path,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) has_network: bool,
    pub(crate) output: &'a GuestOutput,
    pub(crate) budget: &'a Budget,
    pub(crate) events: &'a CommandEvents,
}

impl Commands {
    /// Resolves the commands that `job` grants to a guest with the variables `seen`. They run with the isolation
    /// `place`, and what the host holds for them is charged to `budget`.
    pub(crate) fn new(
        job: &Job,
        seen: BTreeMap<String, String>,
        place: CommandIsolation,
        output: &GuestOutput,
        budget: &Budget,
    ) -> Self {
        let granted = &job.powers.commands;
        let path = std::env::var("PATH").unwrap_or_else(|_| PATH.to_owned());
        let writable = if granted.is_empty() { Vec::new() } else { writable(&job.mounts) };
        let program = match place {
            CommandIsolation::Namespaces => resolve::program_of_commands,
            CommandIsolation::Container | CommandIsolation::Unconfined => resolve::program,
        };
        let resolved = |command: &CommandName| {
            let name = command.as_str();
            let file = resolve::resolve(name, path.as_ref(), &writable, program);
            let rights = job.powers.command_rights.get(command).cloned().unwrap_or_default();
            (name.to_owned(), Granted { file, rights })
        };
        Self {
            granted: granted.iter().map(resolved).collect(),
            seen,
            own: job.env.keys().cloned().collect(),
            path,
            bounds: Bounds::from(&job.limits),
            output: output.clone(),
            budget: budget.clone(),
            running: Arc::new(Semaphore::new(COMMANDS)),
            events: CommandEvents::default(),
            place: Place::new(place),
        }
    }

    /// Creates the room of the commands below the directory `scratch`. Returns the path of its `/tmp`, which is also
    /// the guest's `/tmp`, or `None` if no command is granted or commands run without a room.
    pub(crate) fn make_room(
        &mut self,
        shown: &[Shown],
        scratch: &Path,
    ) -> Result<Option<PathBuf>, Failure> {
        if self.granted.is_empty() {
            return Ok(None);
        }
        let has_network = self.granted.values().any(|granted| granted.rights.network);
        let surroundings = Surroundings { shown, bounds: self.bounds, has_network };
        self.place.make_room(&surroundings, scratch)
    }

    /// Returns the events of the commands, or `None` if no command is granted.
    pub(crate) fn events(&self) -> Option<CommandEvents> {
        (!self.granted.is_empty()).then(|| self.events.clone())
    }

    /// Checks that the environment grants `program`.
    pub(crate) fn check(&self, program: &str) -> Result<(), Unstarted> {
        check(program, |name| self.granted.contains_key(name))
    }

    /// Starts `command` for a guest whose directories are `shown`.
    pub(crate) fn start(
        &mut self,
        command: &Command,
        changes: &Changes,
        shown: &[Shown],
    ) -> Result<Spawned, Unstarted> {
        let program = &command.program;
        let invalid = |message| Unstarted::Error(ErrorKind::Invalid, message);
        self.check(program)?;
        let Some(Granted { file, rights }) = self.granted.get(program) else {
            return Err(invalid(program.clone()));
        };
        if command.arguments.iter().any(|argument| argument.contains('\0')) {
            return Err(invalid(format!("an argument of `{program}` has a zero byte")));
        }
        if let Some(directory) = command.directory.as_deref().filter(|path| *path != "/") {
            let parsed = directory.parse::<GuestPath>();
            parsed.map_err(|error| invalid(error.to_string()))?;
        }
        let may_set = |name: &VariableName| self.check_variable(program, rights, name);
        let variables = variables(&self.seen, changes, &self.path, may_set).map_err(invalid)?;
        let file = file.as_ref().map_err(|error| {
            let kind = match error {
                Unresolved::Missing { .. } => ErrorKind::NotFound,
                Unresolved::Writable { .. } | Unresolved::Private { .. } => ErrorKind::NotAllowed,
            };
            Unstarted::Error(kind, format!("cannot start `{program}`: {error}"))
        })?;
        let slot = slot(&self.running, program)?;
        let has_network = rights.network;
        let surroundings = Surroundings { shown, bounds: self.bounds, has_network };
        let (output, budget, events) = (&self.output, &self.budget, &self.events);
        let start = Start { command, file, variables, has_network, output, budget, events };
        events.record();
        self.place.start(start, &surroundings, slot)
    }

    /// Checks that the guest may set the variable `name` of `program`.
    fn check_variable(
        &self,
        program: &str,
        rights: &CommandRights,
        name: &VariableName,
    ) -> Result<(), String> {
        if self.own.contains(name.as_str()) || rights.variables.contains(name) {
            return Ok(());
        }
        let name = name.as_str();
        Err(format!(
            "a closure cannot set the variable {name} of `{program}`, which its environment neither has nor grants: \
             CommandGrant::new({program:?}).with_variable({name:?}) would"
        ))
    }

    /// Ends all commands and all processes that they started.
    pub(crate) fn end(&mut self) {
        self.place.end();
    }
}

/// Checks that the environment grants `program`. `is_granted` returns whether it grants a name.
pub(super) fn check(program: &str, is_granted: impl Fn(&str) -> bool) -> Result<(), Unstarted> {
    if is_granted(program) {
        return Ok(());
    }
    let name = program.rsplit('/').next().unwrap_or_default();
    let is_granted = is_granted(name);
    let way_out = match (is_granted, name == program) {
        (true, _) => format!("it grants `{name}`, and commands are started by their names"),
        (false, true) => format!("RunEnvironment::allow_command({name:?}) would"),
        (false, false) => format!(
            "RunEnvironment::allow_command({name:?}) would grant `{name}`, and commands are started by their names"
        ),
    };
    let remedy = (!is_granted).then_some(Remedy::GrantCommand);
    Err(Unstarted::Denied(Denied { what: format!("started `{program}`"), way_out, remedy }))
}

/// Returns a slot for the command `program`, unless all are occupied.
pub(super) fn slot(running: &Arc<Semaphore>, program: &str) -> Result<Slot, Unstarted> {
    let permit = Arc::clone(running).try_acquire_owned().map_err(|_| {
        let message = format!(
            "cannot start `{program}`: {COMMANDS} commands are running or have an open stream; wait for one, and \
             read its output to the end or drop it"
        );
        Unstarted::Error(ErrorKind::TooMany, message)
    })?;
    Ok(Arc::new(permit))
}

/// Returns the directories that closures can write to, on this machine and in a room with these `mounts`.
fn writable(mounts: &[Mount]) -> Vec<PathBuf> {
    let mounts = mounts.iter().filter(|mount| mount.access == Access::ReadWrite);
    let mounts = mounts.flat_map(|mount| [mount.source.as_str(), &mount.path]).map(PathBuf::from);
    let all = mounts.chain([PathBuf::from("/tmp"), std::env::temp_dir()]);
    // A program's path may contain symbolic links or not, so both forms of each directory are needed.
    all.flat_map(|path| [path.canonicalize().ok(), Some(path)]).flatten().collect()
}

/// A started command: this process's ends of its pipes, and its end.
#[expect(unreachable_pub, reason = "generated code exports it from a private module")]
pub struct Child {
    pub(crate) stdin: Option<DynOutputStream>,
    pub(crate) stdout: Option<DynInputStream>,
    pub(crate) stderr: Option<DynInputStream>,
    pub(crate) end: Ending,
}

/// A handle to wait for the end of a command, or to kill it. Clones refer to the same command.
#[derive(Clone)]
pub(crate) struct Ending {
    status: watch::Receiver<Option<ExitStatus>>,
    kill: Arc<dyn Fn() + Send + Sync>,
}

impl Ending {
    #[cfg(target_os = "linux")]
    pub(crate) fn new(
        status: watch::Receiver<Option<ExitStatus>>,
        kill: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self { status, kill: Arc::new(kill) }
    }

    /// Returns the exit status of the command, or `None` while it runs.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    /// Kills the command's process group.
    pub(crate) fn kill(&self) {
        (self.kill)();
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Ending {
    async fn ready(&mut self) {
        // The sender always sends a status before it is dropped.
        let _ = self.status.wait_for(Option::is_some).await;
    }
}
