//! What a guest sees: the environment, files and directories that its manifest names.

use std::path::{Path, PathBuf};

use hype_wire::{Access, Failure, FailureKind, Job, Mount, Remedy};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::deterministic::{self, Clock};
use crate::execution::Surroundings;
use crate::executor::Executor;
use crate::files::Files;
use crate::filesystem::SharedFiles;
use crate::http::Requests;
use crate::layout::{Layout, Root, check, make, unprepared};
use crate::limits::Bounds;
use crate::listing::Listings;
use crate::output::{Output, Stream};
use crate::process::{Child, Command, Commands, Said, Shown, Unstarted};
use crate::scratch::Scratch;

/// A guest's surroundings.
pub(crate) struct Sandbox {
    pub(crate) wasi: WasiCtx,
    pub(crate) files: SharedFiles,
    pub(crate) listings: Listings,
    pub(crate) output: Output,
    /// The guest's own clock, if its runs are to be alike.
    pub(crate) clock: Option<Clock>,
    pub(crate) requests: Requests,
    pub(crate) http: WasiHttpCtx,
    /// Before what they use.
    commands: Commands,
    shown: Vec<Shown>,
    /// What of it was made for this run alone; it goes when this is dropped.
    scratch: Option<Scratch>,
}

impl Sandbox {
    /// Makes `/tmp`, unless it is there.
    ///
    /// Making and removing directories takes longer than all else of a short call, and most guests
    /// never ask for theirs.
    pub(crate) fn make_tmp(&mut self) -> Result<(), Failure> {
        if self.scratch.is_none() {
            let mut view = View { wasi: WasiCtxBuilder::new(), shown: Vec::new() };
            self.scratch = Some(view.show_tmp(&self.files)?);
            self.shown.append(&mut view.shown);
            *self.wasi.filesystem() = view.wasi.build().filesystem().clone();
        }
        Ok(())
    }

    /// Starts a command that the guest asks for.
    pub(crate) fn start(&mut self, command: &Command, said: &Said) -> Result<Child, Unstarted> {
        self.commands.check(&command.program)?;
        self.make_tmp().map_err(Unstarted::Failed)?;
        let scratch = self.scratch.as_ref().map_or(Path::new("/"), Scratch::path);
        self.commands.start((command, said), &self.shown, scratch)
    }

    /// Ends what runs for this run alone, and removes what was made for it.
    pub(crate) fn clear(&mut self) {
        self.commands.end();
        self.scratch = None;
    }
}

/// Makes the sandbox of one call.
///
/// # Errors
///
/// When a directory cannot be shown to the guest.
pub(crate) fn prepare(
    surroundings: Surroundings<'_>,
    executor: &Executor,
) -> Result<Sandbox, Failure> {
    let Surroundings { job, run_id, request, layout, output, .. } = surroundings;
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(output.stream(Stream::Stdout));
    wasi.stderr(output.stream(Stream::Stderr));
    let variables = request.variables.seen(job, run_id, request.attempt);
    for (name, value) in &variables {
        wasi.env(name, value);
    }

    let clock = job.seed.map(|seed| deterministic::apply(&mut wasi, seed));

    let bounds = Bounds::from(&job.limits);
    let requests = Requests::new(&job.powers.http, executor.resolver(), bounds.http_body);
    let commands = Commands::new(job, variables, executor.commands(), output);
    let files = SharedFiles::new(Files::new(bounds.tmp));
    let mut view = View { wasi, shown: Vec::new() };
    let scratch = view.show_all(job, layout, &files)?;
    let View { mut wasi, shown } = view;
    let (wasi, http) = (wasi.build(), WasiHttpCtx::new());
    let (listings, output) = (Listings::default(), output.clone());
    Ok(Sandbox { wasi, files, listings, output, clock, requests, http, commands, shown, scratch })
}

/// The directories that a guest and its commands see.
struct View {
    wasi: WasiCtxBuilder,
    shown: Vec<Shown>,
}

impl View {
    /// Shows `/tmp`, the files in `layout` and the mounts of `job`, if there are any of the latter two.
    fn show_all(
        &mut self,
        job: &Job,
        layout: &Layout,
        files: &SharedFiles,
    ) -> Result<Option<Scratch>, Failure> {
        // A guest that is shown something will look at it, and so ask for its directories.
        if layout.is_empty() && job.mounts.is_empty() {
            return Ok(None);
        }
        let scratch = self.show_tmp(files)?;
        for Root { path, real } in layout.for_call(&scratch)?.iter() {
            let (path, real) = (path.clone(), real.clone());
            self.show(Shown { path, real, access: Access::ReadOnly, is_beside: true })?;
        }
        for mount in &job.mounts {
            check(&mount.path)?;
            if mount.access == Access::ReadWrite {
                check_writable(mount)?;
            }
            let (path, real) = (mount.path.clone(), PathBuf::from(&mount.source));
            self.show(Shown { path, real, access: mount.access, is_beside: false })?;
        }
        Ok(Some(scratch))
    }

    /// Makes a directory for one call, shows the one in it as `/tmp`, and lets `files` count it.
    fn show_tmp(&mut self, files: &SharedFiles) -> Result<Scratch, Failure> {
        let scratch = Scratch::new()
            .map_err(|error| unprepared("cannot make a scratch directory", &error))?;
        let tmp = make(&scratch, "tmp")?;
        let (path, real) = ("/tmp".to_owned(), tmp.clone());
        self.show(Shown { path, real, access: Access::ReadWrite, is_beside: false })?;
        files.lock().show_tmp(tmp);
        Ok(scratch)
    }

    fn show(&mut self, shown: Shown) -> Result<(), Failure> {
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

/// Makes sure that who runs this can write to `mount`, since what a guest is told doesn't say who can't.
#[cfg(unix)]
fn check_writable(mount: &Mount) -> Result<(), Failure> {
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
