//! What a guest sees: the environment, files and directories that its manifest names.

use std::path::{Path, PathBuf};

use hype_wire::{Access, Failure, FailureKind, RunManifest, check_guest_path, is_below};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use crate::fetch::FetchedFiles;
use crate::files::Files;
use crate::filesystem::SharedFiles;
use crate::limits::Bounds;
use crate::output::{Output, Stream};
use crate::run::Request;
use crate::scratch::Scratch;

/// A guest's surroundings.
pub(crate) struct Sandbox {
    pub(crate) wasi: WasiCtx,
    pub(crate) files: SharedFiles,
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
            self.scratch = Some(scratch_with_tmp(&mut wasi, &self.files)?);
            *self.wasi.filesystem() = wasi.build().filesystem().clone();
        }
        Ok(())
    }
}

/// Makes the surroundings that `manifest` names. Its files are moved away from where they are in
/// `files`.
pub(crate) fn prepare(
    manifest: &RunManifest,
    request: &Request,
    files: &FetchedFiles,
    output: &Output,
) -> Result<Sandbox, Failure> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(output.stream(Stream::Stdout));
    wasi.stderr(output.stream(Stream::Stderr));
    for (name, value) in request.variables.seen(manifest, request.attempt) {
        wasi.env(name, value);
    }

    let shared = SharedFiles::new(Files::new(Bounds::from(&manifest.limits).tmp));
    // Who is shown something will look at it, and so ask for its directories.
    if manifest.files.is_empty() && manifest.directories.is_empty() && manifest.mounts.is_empty() {
        return Ok(Sandbox { wasi: wasi.build(), files: shared, scratch: None });
    }
    let scratch = scratch_with_tmp(&mut wasi, &shared)?;
    for (path, directory) in lay_out(manifest, files, &scratch)? {
        preopen(&mut wasi, &directory, path, FsPerms::ReadOnly)?;
    }
    for mount in &manifest.mounts {
        check(&mount.path)?;
        let perms = match mount.access {
            Access::ReadOnly => FsPerms::ReadOnly,
            Access::ReadWrite => FsPerms::ReadWrite,
        };
        preopen(&mut wasi, Path::new(&mount.source), &mount.path, perms)?;
    }
    Ok(Sandbox { wasi: wasi.build(), files: shared, scratch: Some(scratch) })
}

/// A directory for one run, in which is what `wasi` shows as `/tmp` and `files` counts.
fn scratch_with_tmp(wasi: &mut WasiCtxBuilder, files: &SharedFiles) -> Result<Scratch, Failure> {
    let scratch =
        Scratch::new().map_err(|error| unprepared("cannot make a scratch directory", &error))?;
    let tmp = make(&scratch, "tmp")?;
    preopen(wasi, &tmp, "/tmp", FsPerms::ReadWrite)?;
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
