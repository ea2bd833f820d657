//! The namespaces in which a guest's commands run: those of a room, which shows the guest's paths, or those of this
//! process.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use hype_wire::{Access, Failure, FailureKind, is_below};

pub(crate) use super::child::Spawned;
use super::child::{self, At};
use super::commands::{Slot, Start, Unstarted};
use super::confinement::{Confinement, Scope};
use super::descendants::Adoption;
use super::identity::Identity;
use super::isolation::{CommandIsolation, NoNamespaces};
pub(crate) use super::layout::Shown;
use super::layout::{Root, list, steps};
use super::room::{Plan, Room};
use super::started::Started;
use crate::limits::Bounds;

/// Checks that this machine can run commands in a room, by creating an empty one. A success is cached.
///
/// # Errors
///
/// Returns the reason if it can't: for example, this user may not be allowed to create namespaces, or the kernel may
/// not support them.
pub fn check_namespaces() -> Result<(), NoNamespaces> {
    static MADE: OnceLock<()> = OnceLock::new();
    if MADE.get().is_none() {
        let made = empty_room().and_then(|_| Confinement::in_room(&Scope::default(), identity()));
        made.map_err(|error| NoNamespaces(error.to_string()))?;
        let _ = MADE.set(());
    }
    Ok(())
}

/// Creates a room without directories of a guest.
pub(super) fn empty_room() -> io::Result<Room> {
    let root = tempfile::tempdir()?;
    make_room(&Root { tmp: 1 << 20, ..Root::default() }, root.path(), 64 << 20)
}

fn identity() -> Identity {
    Identity::of_commands()
}

fn make_room(parts: &Root<'_>, root: &Path, memory: u64) -> io::Result<Room> {
    Room::make(&Plan::new(steps(parts, &list)?, root, identity(), memory)?)
}

/// The isolation of one guest's commands and their processes. Dropping it ends all these processes.
pub(crate) struct Place {
    kind: CommandIsolation,
    confinement: Option<Confinement>,
    state: State,
}

enum State {
    Empty,
    Room(Room),
    Adopted(Adoption),
    Groups(Vec<Arc<Started>>),
}

impl Drop for State {
    fn drop(&mut self) {
        if let Self::Groups(all) = self {
            all.iter().for_each(|started| started.kill());
            all.iter().for_each(|started| started.wait());
        }
    }
}

/// The directories and limits of a guest, for its commands.
pub(crate) struct Surroundings<'a> {
    pub(crate) shown: &'a [Shown],
    pub(crate) bounds: Bounds,
    /// Whether a command can use the network.
    pub(crate) has_network: bool,
}

impl Place {
    pub(crate) fn new(kind: CommandIsolation) -> Self {
        Self { kind, confinement: None, state: State::Empty }
    }

    /// Creates a room below the directory `scratch`. Returns the path of its `/tmp`, which is also the guest's `/tmp`,
    /// or `None` if commands run without a room.
    ///
    /// # Errors
    ///
    /// Returns an infrastructure failure if a system call fails.
    pub(crate) fn make_room(
        &mut self,
        surroundings: &Surroundings<'_>,
        scratch: &Path,
    ) -> Result<Option<PathBuf>, Failure> {
        if self.kind != CommandIsolation::Namespaces {
            return Ok(None);
        }
        let Surroundings { shown, bounds, has_network } = surroundings;
        let names = if *has_network { network_files() } else { Vec::new() };
        let parts = Root { shown, files: &names, tmp: bounds.tmp };
        let root = scratch.join("root");
        // The kernel counts the files in `/tmp` as memory of the commands that write them.
        let memory = bounds.memory.saturating_add(bounds.tmp);
        let room = std::fs::create_dir(&root).and_then(|()| make_room(&parts, &root, memory));
        let room = room.map_err(|error| unprepared("commands can have no room", &error))?;
        let tmp = room.path("tmp");
        let mut scope = scope(shown, bounds);
        scope.writable.push(tmp.clone());
        let confinement = Confinement::in_room(&scope, identity())
            .map_err(|error| unprepared("commands cannot be confined", &error))?;
        self.confinement = Some(confinement);
        self.state = State::Room(room);
        Ok(Some(tmp))
    }

    /// Ends all processes of the commands.
    pub(crate) fn end(&mut self) {
        self.state = State::Empty;
    }

    /// Starts a command for a guest with these `surroundings`.
    pub(crate) fn start(
        &mut self,
        start: Start<'_>,
        surroundings: &Surroundings<'_>,
        slot: Slot,
    ) -> Result<Spawned, Unstarted> {
        let failed = |what, error| Unstarted::Failed(unprepared(what, &error));
        let shown = surroundings.shown;
        if self.kind != CommandIsolation::Namespaces {
            check_paths(shown).map_err(Unstarted::Failed)?;
        }
        let confinement = match &mut self.confinement {
            Some(confinement) => confinement,
            none => none.insert(
                beside(surroundings)
                    .map_err(|error| failed("commands cannot be confined", error))?,
            ),
        };
        let restrictions = confinement.to_apply(start.has_network);
        let directory = start.command.directory.as_deref().unwrap_or("/");
        let beside = |within| At { directory: real(directory, shown), within, restrictions };
        if matches!(self.state, State::Empty) {
            self.state = match self.kind {
                // Without its room, a command would have the rights of this process.
                CommandIsolation::Namespaces => {
                    let error = io::Error::other("the room of its closure was not made");
                    return Err(failed("commands can have no room", error));
                }
                CommandIsolation::Unconfined => State::Groups(Vec::new()),
                CommandIsolation::Container => {
                    State::Adopted(Adoption::begin(start.output).map_err(|error| {
                        failed("the processes of commands cannot be adopted", error)
                    })?)
                }
            };
        }
        match &mut self.state {
            State::Empty => Err(Unstarted::Failed(Failure::new(
                FailureKind::Infrastructure,
                "commands have no place",
            ))),
            State::Room(room) => {
                let within = Some(room.within(start.has_network));
                let at = At { directory: directory.into(), ..beside(within) };
                let (spawned, started) = child::start(start, at, slot)?;
                room.admit(&started);
                Ok(spawned)
            }
            State::Groups(all) => {
                let (spawned, started) = child::start(start, beside(None), slot)?;
                all.retain(|started| started.status().is_none());
                all.push(started);
                Ok(spawned)
            }
            State::Adopted(adoption) => adoption.besides(|| {
                let (spawned, started) = child::start(start, beside(None), slot)?;
                Ok((spawned, started.pid()))
            }),
        }
    }
}

/// Creates the restrictions of commands that run in the namespaces of this process.
fn beside(surroundings: &Surroundings<'_>) -> io::Result<Confinement> {
    let Surroundings { shown, bounds, .. } = surroundings;
    let mut scope = scope(shown, bounds);
    scope.writable.extend([PathBuf::from("/tmp"), std::env::temp_dir()]);
    Confinement::beside(&scope)
}

/// Returns the scope of a guest's commands, without `/tmp`.
fn scope(shown: &[Shown], bounds: &Bounds) -> Scope {
    let writable = shown.iter().filter(|shown| shown.access == Access::ReadWrite);
    let writable: Vec<_> = writable.map(|shown| shown.real.clone()).collect();
    let is_tmp = |shown: &Shown| shown.path == "/tmp";
    let has_mounts = shown.iter().any(|it| it.access == Access::ReadWrite && !is_tmp(it));
    // Files in a writable mount are limited only by its file system.
    let file_size = (!has_mounts).then_some(bounds.tmp);
    Scope { writable, file_size, memory: bounds.memory }
}

/// Returns the files in `/run` that programs read to resolve DNS names.
fn network_files() -> Vec<PathBuf> {
    let resolver = Path::new("/etc/resolv.conf").canonicalize();
    resolver.into_iter().filter(|path| path.starts_with("/run")).collect()
}

fn unprepared(what: &str, error: &io::Error) -> Failure {
    let causes = vec![error.to_string()];
    Failure { causes, ..Failure::new(FailureKind::Infrastructure, what) }
}

/// Checks that each mount has the same path for the guest and on this machine, since the paths in a command's arguments
/// aren't translated.
fn check_paths(shown: &[Shown]) -> Result<(), Failure> {
    let mut mounts = shown.iter().filter(|shown| !shown.is_beside && shown.path != "/tmp");
    match mounts.find(|mount| Path::new(&mount.path) != mount.real) {
        None => Ok(()),
        Some(mount) => Err(Failure::new(
            FailureKind::Incompatible,
            format!(
                "commands would not see the mount at {}, which is {} here",
                mount.path,
                mount.real.display()
            ),
        )),
    }
}

/// Returns the path on this machine of the guest's `path`.
fn real(path: &str, shown: &[Shown]) -> PathBuf {
    let shown = shown.iter().find(|shown| is_below(path, &shown.path) && !shown.path.is_empty());
    match shown {
        Some(shown) => {
            let rest = path[shown.path.len()..].trim_start_matches('/');
            if rest.is_empty() { shown.real.clone() } else { shown.real.join(rest) }
        }
        None => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hype_wire::Access;

    fn shown(path: &str, real: &str, is_beside: bool) -> Shown {
        Shown { path: path.into(), real: real.into(), access: Access::ReadWrite, is_beside }
    }

    #[test]
    fn guest_path_is_translated_to_machine_path() {
        let all = [
            shown("/tmp", "/s/tmp", false),
            shown("/models", "/s/0", true),
            shown("", "/s/1", true),
        ];
        for (path, found) in [
            ("/tmp", "/s/tmp"),
            ("/tmp/a/b", "/s/tmp/a/b"),
            ("/models/x", "/s/0/x"),
            ("/modelsx", "/modelsx"),
            ("/", "/"),
        ] {
            assert_eq!(real(path, &all), Path::new(found), "{path}");
        }
    }

    #[test]
    fn mount_at_another_path_is_rejected() {
        let here = [
            shown("/tmp", "/s/tmp", false),
            shown("/data", "/data", false),
            shown("/x", "/s", true),
        ];
        assert_eq!(check_paths(&here), Ok(()));
        let error = check_paths(&[shown("/data", "/home/data", false)]).unwrap_err();
        assert_eq!(
            error.message,
            "commands would not see the mount at /data, which is /home/data here"
        );
    }
}
