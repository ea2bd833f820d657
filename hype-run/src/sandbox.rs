//! What a guest sees: the environment, files and directories that its manifest names.

use std::path::{Path, PathBuf};

use hype_wire::{Access, Failure, FailureKind, Mount, RunManifest, check_guest_path, is_below};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::deterministic::{self, Clock};
use crate::execution::Surroundings;
use crate::executor::Executor;
use crate::fetch::FetchedFiles;
use crate::files::Files;
use crate::filesystem::SharedFiles;
use crate::http::Requests;
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
            let mut wasi = WasiCtxBuilder::new();
            self.scratch = Some(scratch_with_tmp(&mut wasi, &self.files, &mut self.shown)?);
            *self.wasi.filesystem() = wasi.build().filesystem().clone();
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

/// Makes the surroundings that `manifest` names. Its files are moved away from where they are in
/// `surroundings`.
pub(crate) fn prepare(
    manifest: &RunManifest,
    surroundings: Surroundings<'_>,
    executor: &Executor,
) -> Result<Sandbox, Failure> {
    let Surroundings { request, inputs, output, .. } = surroundings;
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(output.stream(Stream::Stdout));
    wasi.stderr(output.stream(Stream::Stderr));
    let variables = request.variables.seen(manifest, request.attempt);
    for (name, value) in &variables {
        wasi.env(name, value);
    }

    let clock = manifest.seed.map(|seed| deterministic::apply(&mut wasi, seed));

    let bounds = Bounds::from(&manifest.limits);
    let requests = Requests::new(&manifest.powers.http, executor.resolver(), bounds.http_body);
    let commands = Commands::new(manifest, variables, executor.commands(), output);
    let files = SharedFiles::new(Files::new(bounds.tmp));
    let mut shown = Vec::new();
    let scratch = show_files(&mut wasi, manifest, (&inputs.files, &files), &mut shown)?;
    let (wasi, http) = (wasi.build(), WasiHttpCtx::new());
    let (listings, output) = (Listings::default(), output.clone());
    Ok(Sandbox { wasi, files, listings, output, clock, requests, http, commands, shown, scratch })
}

/// Lets `wasi` show what `manifest` names of files, where it does, and adds that to `shown`.
fn show_files(
    wasi: &mut WasiCtxBuilder,
    manifest: &RunManifest,
    (files, shared): (&FetchedFiles, &SharedFiles),
    shown: &mut Vec<Shown>,
) -> Result<Option<Scratch>, Failure> {
    // Who is shown something will look at it, and so ask for its directories.
    if manifest.files.is_empty() && manifest.directories.is_empty() && manifest.mounts.is_empty() {
        return Ok(None);
    }
    let scratch = scratch_with_tmp(wasi, shared, shown)?;
    for (path, real) in lay_out(manifest, files, &scratch)? {
        preopen(wasi, &real, path, FsPerms::ReadOnly)?;
        let (path, access) = (path.to_owned(), Access::ReadOnly);
        shown.push(Shown { path, real, access, is_beside: true });
    }
    for mount in &manifest.mounts {
        check(&mount.path)?;
        let perms = match mount.access {
            Access::ReadOnly => FsPerms::ReadOnly,
            Access::ReadWrite => {
                check_writable(mount)?;
                FsPerms::ReadWrite
            }
        };
        let (path, real) = (mount.path.clone(), PathBuf::from(&mount.source));
        preopen(wasi, &real, &path, perms)?;
        shown.push(Shown { path, real, access: mount.access, is_beside: false });
    }
    Ok(Some(scratch))
}

/// A directory for one run, in which is what `wasi` shows as `/tmp` and `files` counts.
fn scratch_with_tmp(
    wasi: &mut WasiCtxBuilder,
    files: &SharedFiles,
    shown: &mut Vec<Shown>,
) -> Result<Scratch, Failure> {
    let scratch =
        Scratch::new().map_err(|error| unprepared("cannot make a scratch directory", &error))?;
    let tmp = make(&scratch, "tmp")?;
    preopen(wasi, &tmp, "/tmp", FsPerms::ReadWrite)?;
    let (path, access) = ("/tmp".to_owned(), Access::ReadWrite);
    shown.push(Shown { path, real: tmp.clone(), access, is_beside: false });
    files.lock().show_tmp(tmp);
    Ok(scratch)
}

/// Moves the staged files and makes the directories that are named, and gives those that show all
/// of it: guest path, real path.
fn lay_out<'a>(
    manifest: &'a RunManifest,
    files: &FetchedFiles,
    scratch: &Scratch,
) -> Result<Vec<(&'a str, PathBuf)>, Failure> {
    let paths: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    let named: Vec<&str> = manifest.directories.iter().map(String::as_str).collect();
    let mut shown = Vec::new();
    for (index, directory) in directories(&paths, &named).into_iter().enumerate() {
        shown.push((directory, make(scratch, &format!("files-{index}"))?));
    }
    // Each path is, or lies below, one that is shown.
    let real = |path: &str| {
        let mut shown = shown.iter();
        let (directory, real) = shown.find(|(directory, _)| is_below(path, directory))?;
        Some(real.join(path[directory.len()..].trim_start_matches('/')))
    };
    for path in named {
        check(path)?;
        real(path)
            .map_or(Ok(()), std::fs::create_dir_all)
            .map_err(|error| unprepared(&format!("cannot make the directory {path}"), &error))?;
    }
    for (path, file) in paths.into_iter().zip(files.paths()) {
        check(path)?;
        real(path)
            .map_or(Ok(()), |real| move_to(&real, file))
            .map_err(|error| unprepared(&format!("cannot lay out the file {path}"), &error))?;
    }
    Ok(shown)
}

fn move_to(path: &Path, file: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    std::fs::rename(file, path)
}

/// The directories of the files at `paths` and those that are `named`, without those that lie below
/// another of them.
fn directories<'a>(paths: &[&'a str], named: &[&'a str]) -> Vec<&'a str> {
    let parents = paths.iter().filter_map(|path| path.rsplit_once('/')).map(|(parent, _)| parent);
    let mut all: Vec<&str> = parents.chain(named.iter().copied()).collect();
    // One that holds others comes before all of them.
    all.sort_unstable_by_key(|path| path.len());
    let mut outermost: Vec<&str> = Vec::new();
    for path in all {
        if !outermost.iter().any(|other| is_below(path, other)) {
            outermost.push(path);
        }
    }
    outermost.sort_unstable();
    outermost
}

fn make(scratch: &Scratch, name: &str) -> Result<PathBuf, Failure> {
    let path = scratch.path().join(name);
    std::fs::create_dir(&path)
        .map_err(|error| unprepared(&format!("cannot make {}", path.display()), &error))?;
    Ok(path)
}

fn preopen(
    wasi: &mut WasiCtxBuilder,
    real: &Path,
    guest: &str,
    perms: FsPerms,
) -> Result<(), Failure> {
    let guest = if guest.is_empty() { "/" } else { guest };
    wasi.preopened_dir(real, guest, perms).map(drop).map_err(|error| {
        let mut failure = Failure::new(
            FailureKind::Infrastructure,
            format!("cannot mount the directory {} at {guest}", real.display()),
        );
        failure.causes = error.chain().map(ToString::to_string).collect();
        failure
    })
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
    Err(Failure::new(FailureKind::Incompatible, message))
}

#[cfg(not(unix))]
fn check_writable(_mount: &Mount) -> Result<(), Failure> {
    Ok(())
}

fn check(path: &str) -> Result<(), Failure> {
    check_guest_path(path).map_err(|problem| Failure::new(FailureKind::Incompatible, problem))
}

fn unprepared(what: &str, error: &std::io::Error) -> Failure {
    Failure { causes: vec![error.to_string()], ..Failure::new(FailureKind::Infrastructure, what) }
}

#[cfg(test)]
mod tests {
    use super::directories;

    #[test]
    fn files_are_shown_by_their_outermost_directories() {
        let paths = ["/data/b/two", "/data/one", "/database/x", "/etc/a/b"];
        assert_eq!(directories(&paths, &[]), ["/data", "/database", "/etc/a"]);
        assert_eq!(directories(&["/data/b/two", "/data/b/three"], &[]), ["/data/b"]);
        assert_eq!(directories(&["/top", "/data/one"], &[]), [""]);
    }

    #[test]
    fn directories_that_are_named_are_shown_too() {
        let named = ["/data/a/empty", "/data/a", "/other"];
        assert_eq!(directories(&["/data/a/b/one"], &named), ["/data/a", "/other"]);
        assert_eq!(directories(&["/data/one"], &named), ["/data", "/other"]);
    }
}
