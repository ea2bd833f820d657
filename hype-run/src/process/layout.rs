//! The root directory of a room: the files of this machine, read-only, with the guest's directories at the guest's
//! paths.
//!
//! The guest's paths need not exist on this machine, and must not be created there. So the root directory is a new file
//! system in memory: it contains each ancestor of such a path, in which the other entries of the machine's directory
//! are mounted. A room has its own `/dev`, `/proc` and `/run`.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use hype_wire::Access;

/// The directories of a room that don't show the machine's entries.
const OWN: &[&str] = &["/dev", "/proc", "/run"];

/// An older name of `/run`, which is a separate directory on some machines.
const VAR_RUN: &str = "/var/run";

/// The names of the devices in a room's `/dev`.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];

/// The symbolic links in `/dev`, and their targets. Shared memory is in `/tmp`, whose size is limited.
const LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("shm", "/tmp"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];

/// A directory that the guest sees, or a directory of staged files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The guest's path. It is empty for the root directory.
    pub(crate) path: String,
    /// The path on this machine.
    pub(crate) real: PathBuf,
    pub(crate) access: Access,
    /// Whether its entries are added to the machine's directory at `path`, instead of hiding that directory.
    pub(crate) is_beside: bool,
}

/// An entry of a directory on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Directory,
    Link(PathBuf),
    Other,
}

/// One step in the creation of the root directory. Paths in the root directory are relative to it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Directory(CString),
    File(CString),
    Link {
        to: CString,
        at: CString,
    },
    /// Mounts the machine's `source`. If `is_own`, it is an entry of the machine that may be missing or hidden, so that
    /// a failure is ignored.
    Show {
        source: CString,
        at: CString,
        is_own: bool,
    },
    /// Forbids devices and set-uid programs in all existing mounts, and also writing if `is_read_only`.
    Seal {
        is_read_only: bool,
    },
    /// Mounts an empty `/tmp` in memory with these mount options.
    Tmp {
        at: CString,
        options: CString,
    },
}

/// The contents of a room's root directory besides the machine's files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Root<'a> {
    /// The guest's directories, except for `/tmp`.
    pub(crate) shown: &'a [Shown],
    /// Files of the machine below [`OWN`] that are shown nevertheless.
    pub(crate) files: &'a [PathBuf],
    /// The maximum size of `/tmp`, in bytes.
    pub(crate) tmp: u64,
}

/// Returns the steps that create `root`. `list` returns the entries of a directory on the machine. The steps leave
/// `/proc` empty.
///
/// # Errors
///
/// Returns an error if a directory of the guest can't be listed, or has a zero byte in its path.
pub(crate) fn steps(
    root: &Root<'_>,
    list: &dyn Fn(&Path) -> io::Result<BTreeMap<OsString, Entry>>,
) -> io::Result<Vec<Step>> {
    let mut top = Node::default();
    let is_directory = |path: &Path| {
        let (parent, name) = (path.parent()?, path.file_name()?);
        Some(list(parent).ok()?.get(name)? == &Entry::Directory)
    };
    let older = is_directory(Path::new(VAR_RUN)).unwrap_or(false).then_some(&VAR_RUN);
    for path in OWN.iter().chain(older) {
        top.node(Path::new(path)).is_rooms = true;
    }
    for device in DEVICES {
        let path = Path::new("/dev").join(device);
        top.add(&path, Leaf { is_device: true, ..Leaf::file(path.clone()) });
    }
    for file in root.files {
        top.add(file, Leaf::file(file.clone()));
    }
    for shown in root.shown {
        let path = Path::new("/").join(&shown.path);
        if shown.is_beside {
            top.add_beside(&path, &shown.real, list)?;
        } else {
            top.add(&path, Leaf { access: shown.access, ..Leaf::directory(shown.real.clone()) });
        }
    }
    let mut steps = Steps::default();
    let tmp = top.node(Path::new("/tmp"));
    *tmp = Node { is_rooms: true, ..Node::default() };
    steps.fill(Path::new("/"), &top, list)?;
    for (name, to) in LINKS {
        let at = inside(&Path::new("/dev").join(name))?;
        steps.read_only.push(Step::Link { to: c_string(Path::new(to))?, at });
    }
    let Steps { read_only: mut all, writable, devices } = steps;
    all.push(Step::Seal { is_read_only: true });
    all.push(Step::Tmp { at: c"tmp".into(), options: tmp_options(root.tmp)? });
    all.extend(writable);
    all.push(Step::Seal { is_read_only: false });
    all.extend(devices);
    Ok(all)
}

/// Returns the mount options of a `/tmp` of `size` bytes. They also limit the number of its entries, since each uses
/// memory.
fn tmp_options(size: u64) -> io::Result<CString> {
    const BLOCK: u64 = 4 << 10;
    let entries = (size / BLOCK).max(64);
    Ok(CString::new(format!("mode=777,size={size},nr_inodes={entries}"))?)
}

/// A directory in the new root directory, or a mount if it has a leaf.
#[derive(Debug, Default)]
struct Node {
    leaf: Option<Leaf>,
    /// Whether the directory contains no entries of the machine.
    is_rooms: bool,
    entries: BTreeMap<OsString, Node>,
}

#[derive(Debug)]
struct Leaf {
    real: PathBuf,
    access: Access,
    is_file: bool,
    is_device: bool,
}

impl Leaf {
    fn directory(real: PathBuf) -> Self {
        Self { real, access: Access::ReadOnly, is_file: false, is_device: false }
    }

    fn file(real: PathBuf) -> Self {
        Self { is_file: true, ..Self::directory(real) }
    }
}

impl Node {
    fn node(&mut self, path: &Path) -> &mut Self {
        let names = path.components().skip(1).map(|name| name.as_os_str().to_owned());
        names.fold(self, |node, name| node.entries.entry(name).or_default())
    }

    fn add(&mut self, path: &Path, leaf: Leaf) {
        self.node(path).leaf = Some(leaf);
    }

    /// Adds the entries of the directory `real` to those of the machine at `path`.
    fn add_beside(
        &mut self,
        path: &Path,
        real: &Path,
        list: &dyn Fn(&Path) -> io::Result<BTreeMap<OsString, Entry>>,
    ) -> io::Result<()> {
        let is_rooms = OWN.iter().any(|own| path.starts_with(own));
        if is_rooms || list(path).is_err() {
            self.add(path, Leaf::directory(real.to_owned()));
            return Ok(());
        }
        for (name, entry) in list(real)? {
            let (path, real) = (path.join(&name), real.join(&name));
            match entry {
                Entry::Directory => self.add_beside(&path, &real, list)?,
                _ => self.add(&path, Leaf::file(real)),
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Steps {
    read_only: Vec<Step>,
    writable: Vec<Step>,
    devices: Vec<Step>,
}

impl Steps {
    /// Adds the steps that create the entries of the directory `path`, which `node` describes.
    fn fill(
        &mut self,
        path: &Path,
        node: &Node,
        list: &dyn Fn(&Path) -> io::Result<BTreeMap<OsString, Entry>>,
    ) -> io::Result<()> {
        // A directory that doesn't exist, or that this user can't read, counts as empty.
        let own = if node.is_rooms { BTreeMap::new() } else { list(path).unwrap_or_default() };
        for (name, entry) in own {
            if !node.entries.contains_key(&name) {
                self.show_own(&path.join(name), entry)?;
            }
        }
        for (name, node) in &node.entries {
            let path = path.join(name);
            match &node.leaf {
                Some(leaf) => self.show(&path, leaf)?,
                None => {
                    self.read_only.push(Step::Directory(inside(&path)?));
                    self.fill(&path, node, list)?;
                }
            }
        }
        Ok(())
    }

    fn show_own(&mut self, path: &Path, entry: Entry) -> io::Result<()> {
        let at = inside(path)?;
        let made = match entry {
            Entry::Link(to) => {
                self.read_only.push(Step::Link { to: c_string(&to)?, at });
                return Ok(());
            }
            Entry::Directory => Step::Directory(at.clone()),
            Entry::Other => Step::File(at.clone()),
        };
        let show = Step::Show { source: c_string(path)?, at, is_own: true };
        self.read_only.extend([made, show]);
        Ok(())
    }

    fn show(&mut self, path: &Path, leaf: &Leaf) -> io::Result<()> {
        let at = inside(path)?;
        self.read_only.push(match leaf.is_file {
            true => Step::File(at.clone()),
            false => Step::Directory(at.clone()),
        });
        let is_own = leaf.is_device;
        let show = Step::Show { source: c_string(&leaf.real)?, at, is_own };
        match leaf.access {
            _ if leaf.is_device => self.devices.push(show),
            Access::ReadOnly => self.read_only.push(show),
            Access::ReadWrite => self.writable.push(show),
        }
        Ok(())
    }
}

/// Returns the entries of the directory `path` on this machine.
pub(crate) fn list(path: &Path) -> io::Result<BTreeMap<OsString, Entry>> {
    let mut entries = BTreeMap::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let found = match () {
            () if kind.is_dir() => Entry::Directory,
            // Another process may have removed the link meanwhile.
            () if kind.is_symlink() => match std::fs::read_link(entry.path()) {
                Ok(to) => Entry::Link(to),
                Err(_) => continue,
            },
            () => Entry::Other,
        };
        entries.insert(entry.file_name(), found);
    }
    Ok(entries)
}

/// Returns `path` relative to the new root directory.
fn inside(path: &Path) -> io::Result<CString> {
    c_string(path.strip_prefix("/").unwrap_or(path))
}

pub(crate) fn c_string(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

#[cfg(test)]
mod tests;
