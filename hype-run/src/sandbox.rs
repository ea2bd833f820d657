//! The sandbox of one call: the environment variables, files, directories and powers of its job.

use std::path::PathBuf;
use std::sync::Arc;

use hype_wire::{Access, Failure, FailureKind, Job, Mount};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::budget::Budget;
use crate::deterministic::{self, Clock};
use crate::execution::CallContext;
use crate::executor::Executor;
use crate::files::Files;
use crate::filesystem::SharedFiles;
use crate::holdings::{Held, Holdings};
use crate::http::{Connections, DirectClient, Requests};
use crate::layout::{Layout, Root, create_dir, sandbox_failure};
use crate::limits::Bounds;
use crate::listing::Reported;
use crate::output::{GuestOutput, Stream};
use crate::process::{Changes, Child, Command, Commands, GuestCommands, Shown, Unstarted};
use crate::program::Input;
use crate::reading::FileThreads;
use crate::scratch::Scratch;

/// The host's state of one guest.
pub(crate) struct Sandbox {
    pub(crate) wasi: WasiCtx,
    pub(crate) files: SharedFiles,
    pub(crate) reported: Reported,
    pub(crate) file_threads: FileThreads,
    pub(crate) output: GuestOutput,
    /// The guest's simulated clock, if its call has a seed.
    pub(crate) clock: Option<Clock>,
    pub(crate) requests: Requests,
    pub(crate) http: WasiHttpCtx,
    /// The commands and the temporary directory of this call.
    pub(crate) holdings: Holdings,
}

impl Sandbox {
    /// Creates `/tmp`, unless it exists.
    ///
    /// Most guests never open a directory, and creating and removing one takes longer than the rest of a
    /// short call.
    pub(crate) fn create_tmp(&mut self) -> Result<(), Failure> {
        let mut held = self.holdings.get()?;
        if held.scratch.is_none() {
            let mut mounts = GuestMounts { wasi: WasiCtxBuilder::new(), shown: Vec::new() };
            let scratch = new_scratch()?;
            mounts.add_tmp(&scratch, &self.files, &mut held.commands)?;
            held.scratch = Some(scratch);
            held.shown.append(&mut mounts.shown);
            *self.wasi.filesystem() = mounts.wasi.build().filesystem().clone();
        }
        Ok(())
    }

    /// Starts a command that the guest requests.
    pub(crate) async fn start(
        &mut self,
        command: &Command,
        changes: &Changes,
    ) -> Result<Child, Unstarted> {
        self.holdings.get().map_err(Unstarted::Failed)?.commands.check(&command.program)?;
        self.create_tmp().map_err(Unstarted::Failed)?;
        let starting = {
            let mut held = self.holdings.get().map_err(Unstarted::Failed)?;
            let Held { commands, shown, .. } = &mut *held;
            commands.start(command, changes, shown)
        };
        starting.await
    }
}

/// Creates the sandbox of one call, whose memory is charged to `budget`. A program reads `input`.
///
/// # Errors
///
/// When a directory cannot be mounted.
pub(crate) fn prepare(
    context: CallContext<'_>,
    input: Option<Input>,
    executor: &Executor,
    budget: &Budget,
) -> Result<Sandbox, Failure> {
    let CallContext { job, run_id, request, layout, output, seed, remote, .. } = context;
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(output.stream(Stream::Stdout));
    wasi.stderr(output.stream(Stream::Stderr));
    if let Some(input) = input {
        input.apply(&mut wasi);
    }
    let variables = request.variables.for_guest(job, run_id, request.attempt);
    for (name, value) in &variables {
        wasi.env(name, value);
    }

    let clock = seed.map(|seed| deterministic::apply(&mut wasi, seed));

    let bounds = Bounds::from(&job.limits);
    let client = remote.http.cloned();
    let client = client.unwrap_or_else(|| Arc::new(DirectClient::new(executor.resolver())));
    let connections = Connections::of_guest(budget.clone());
    let requests = Requests::new(&job.powers.http, client, bounds.http_body, connections);
    let mut commands = match remote.commands {
        Some(starter) => GuestCommands::elsewhere(starter, job, budget),
        None => {
            GuestCommands::Here(Commands::new(job, variables, executor.commands(), output, budget))
        }
    };
    let files = SharedFiles::new(Files::new(bounds.tmp));
    let mut mounts = GuestMounts { wasi, shown: Vec::new() };
    let scratch = mounts.add_all(job, layout, &files, &mut commands)?;
    let GuestMounts { mut wasi, shown } = mounts;
    let (wasi, http) = (wasi.build(), WasiHttpCtx::new());
    let (reported, output) = (Reported::default(), output.clone());
    let file_threads = FileThreads::new(budget.clone());
    Ok(Sandbox {
        wasi,
        files,
        reported,
        file_threads,
        output,
        clock,
        requests,
        http,
        holdings: Holdings::new(commands, shown, scratch),
    })
}

/// Creates the temporary directory of a call.
fn new_scratch() -> Result<Scratch, Failure> {
    Scratch::new().map_err(|error| sandbox_failure("cannot create a temporary directory", &error))
}

/// The directories that are mounted in a guest and in its commands.
struct GuestMounts {
    wasi: WasiCtxBuilder,
    shown: Vec<Shown>,
}

impl GuestMounts {
    /// Mounts the files in `layout`, the mounts of `job` and `/tmp`. Mounts nothing if there are neither files nor mounts:
    /// `/tmp` is then created when the guest asks for its directories.
    fn add_all(
        &mut self,
        job: &Job,
        layout: &Layout,
        files: &SharedFiles,
        commands: &mut GuestCommands,
    ) -> Result<Option<Scratch>, Failure> {
        if layout.is_empty() && job.mounts.is_empty() {
            return Ok(None);
        }
        let scratch = new_scratch()?;
        for Root { path, real } in layout.for_call(&scratch)?.iter() {
            let (path, real) = (path.clone(), real.clone());
            self.add(Shown { path, real, access: Access::ReadOnly, is_beside: true })?;
        }
        for mount in &job.mounts {
            if mount.access == Access::ReadWrite {
                check_writable(mount)?;
            }
            let (path, real) = (mount.path.to_string(), PathBuf::from(&mount.source));
            self.add(Shown { path, real, access: mount.access, is_beside: false })?;
        }
        self.add_tmp(&scratch, files, commands)?;
        Ok(Some(scratch))
    }

    /// Mounts the `/tmp` of the room in which commands run, or else a directory in `scratch`, and sets its quota in `files`.
    fn add_tmp(
        &mut self,
        scratch: &Scratch,
        files: &SharedFiles,
        commands: &mut GuestCommands,
    ) -> Result<(), Failure> {
        let tmp = match commands.make_room(&self.shown, scratch.path())? {
            Some(tmp) => {
                files.lock().lift_quota();
                tmp
            }
            None => {
                let tmp = create_dir(scratch, "tmp")?;
                if let Some(events) = commands.events() {
                    files.lock().share_tmp(tmp.clone(), events);
                }
                tmp
            }
        };
        let path = "/tmp".to_owned();
        // Switching to another thread takes longer than a call on a local file.
        self.wasi.allow_blocking_current_thread(true);
        let added =
            self.add(Shown { path, real: tmp, access: Access::ReadWrite, is_beside: false });
        self.wasi.allow_blocking_current_thread(false);
        added
    }

    fn add(&mut self, shown: Shown) -> Result<(), Failure> {
        let guest = if shown.path.is_empty() { "/" } else { &shown.path };
        let perms = match shown.access {
            Access::ReadOnly => FsPerms::ReadOnly,
            Access::ReadWrite => FsPerms::ReadWrite,
        };
        self.wasi.preopened_dir(&shown.real, guest, perms).map_err(|error| {
            let real = shown.real.display();
            let message = format!("cannot mount the directory {real} at {guest}");
            let causes = error.chain().map(ToString::to_string).collect();
            Failure { causes, ..Failure::new(FailureKind::Infrastructure, message) }
        })?;
        self.shown.push(shown);
        Ok(())
    }
}

/// Checks that the user of this process can write to `mount`. The guest's own error wouldn't name the user.
#[cfg(unix)]
fn check_writable(mount: &Mount) -> Result<(), Failure> {
    use hype_wire::Remedy;
    use rustix::fs::{AtFlags, CWD, accessat};
    use std::os::unix::fs::MetadataExt;

    let allowed =
        accessat(CWD, mount.source.as_str(), rustix::fs::Access::WRITE_OK, AtFlags::EACCESS);
    if allowed != Err(rustix::io::Errno::ACCESS) {
        return Ok(());
    }
    let owner =
        std::fs::metadata(&mount.source).map(|it| format!(", which is user {}'s", it.uid()));
    let message = format!(
        "user {} cannot write to the mount at {}{}",
        rustix::process::geteuid().as_raw(),
        mount.path,
        owner.unwrap_or_default()
    );
    Err(Failure::new(FailureKind::Incompatible, message).with_remedy(Remedy::OtherUser))
}

#[cfg(not(unix))]
fn check_writable(_mount: &Mount) -> Result<(), Failure> {
    Ok(())
}
