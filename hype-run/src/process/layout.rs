//! The root that commands see in namespaces of their own: this machine's, for reading, with what a guest is
//! shown at the guest's paths.
//!
//! Those paths needn't be there on this machine, and nothing may be made there. So a new root is made in memory.
//! Each directory on the way to one of those paths is made anew in it, with all that is in it on this machine
//! beside; everything else is the machine's own.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use hype_wire::Access;

/// What a guest is shown: a directory, or, of what is staged, a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Where it is for the guest; the root is empty.
    pub(crate) path: String,
    /// Where it is on this machine.
    pub(crate) real: PathBuf,
    pub(crate) access: Access,
    /// Whether it is beside what is there on this machine, rather than in its place.
    pub(crate) is_beside: bool,
}

/// What is in a directory of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Directory,
    Link(PathBuf),
    Other,
}

/// One step to the new root, in which paths are relative to it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Directory(CString),
    File(CString),
    Link {
        to: CString,
        at: CString,
    },
    /// Shows what this machine has at `source`. Something of the machine's own may be gone, or hidden.
    Show {
        source: CString,
        at: CString,
        is_own: bool,
    },
    /// From here on what is shown may be written to.
    EndReadOnly,
}

/// The steps to a root in which `shown` is, on a machine whose directories `list` lists. `/proc` is made
/// besides.
///
/// # Errors
///
/// When something that is shown can't be listed, or has a zero byte in its path.
pub(crate) fn steps(
    shown: &[Shown],
    list: &dyn Fn(&Path) -> io::Result<BTreeMap<OsString, Entry>>,
) -> io::Result<Vec<Step>> {
    let mut root = Node::default();
    for shown in shown {
        let path = Path::new("/").join(&shown.path);
        if shown.is_beside {
            root.add_beside(&path, &shown.real, list)?;
        } else {
            root.add(
                &path,
                Leaf { real: shown.real.clone(), access: shown.access, is_file: false },
            );
        }
    }
    // It is another's in other namespaces.
    root.entries.insert("proc".into(), Node::default());
    let mut steps = Steps::default();
    steps.fill(Path::new("/"), &root, list)?;
    let Steps { mut read_only, writable } = steps;
    read_only.push(Step::EndReadOnly);
    read_only.extend(writable);
    Ok(read_only)
}

/// A directory that is made anew, or, with a leaf, something that is shown.
#[derive(Debug, Default)]
struct Node {
    leaf: Option<Leaf>,
    entries: BTreeMap<OsString, Node>,
}

#[derive(Debug)]
struct Leaf {
    real: PathBuf,
    access: Access,
    is_file: bool,
}

impl Node {
    fn add(&mut self, path: &Path, leaf: Leaf) {
        let names = path.components().skip(1).map(|name| name.as_os_str().to_owned());
        let node = names.fold(self, |node, name| node.entries.entry(name).or_default());
        node.leaf = Some(leaf);
    }

    /// Adds what is in the directory `real` to what this machine has at `path`.
    fn add_beside(
        &mut self,
        path: &Path,
        real: &Path,
        list: &dyn Fn(&Path) -> io::Result<BTreeMap<OsString, Entry>>,
    ) -> io::Result<()> {
        if list(path).is_err() {
            let real = real.to_owned();
            self.add(path, Leaf { real, access: Access::ReadOnly, is_file: false });
            return Ok(());
        }
        for (name, entry) in list(real)? {
            let (path, real) = (path.join(&name), real.join(&name));
            match entry {
                Entry::Directory => self.add_beside(&path, &real, list)?,
                _ => self.add(&path, Leaf { real, access: Access::ReadOnly, is_file: true }),
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Steps {
    read_only: Vec<Step>,
    writable: Vec<Step>,
}

impl Steps {
    /// Fills the directory `path`, which is `node`.
    fn fill(
        &mut self,
        path: &Path,
        node: &Node,
        list: &dyn Fn(&Path) -> io::Result<BTreeMap<OsString, Entry>>,
    ) -> io::Result<()> {
        // What isn't there, or isn't ours to read, has nothing in it.
        for (name, entry) in list(path).unwrap_or_default() {
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
                    let is_proc = path == Path::new("/proc");
                    if !is_proc {
                        self.fill(&path, node, list)?;
                    }
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
        let show = Step::Show { source: c_string(&leaf.real)?, at, is_own: false };
        match leaf.access {
            Access::ReadOnly => self.read_only.push(show),
            Access::ReadWrite => self.writable.push(show),
        }
        Ok(())
    }
}

/// What is in the directory `path` of this machine.
pub(crate) fn list(path: &Path) -> io::Result<BTreeMap<OsString, Entry>> {
    let mut entries = BTreeMap::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let found = match () {
            () if kind.is_dir() => Entry::Directory,
            // One that is gone again isn't there.
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

/// `path` from the new root.
fn inside(path: &Path) -> io::Result<CString> {
    c_string(path.strip_prefix("/").unwrap_or(path))
}

pub(crate) fn c_string(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that has these; a directory ends with `/`, a link names where it leads.
    fn machine(
        paths: &'static [(&str, &str)],
    ) -> impl Fn(&Path) -> io::Result<BTreeMap<OsString, Entry>> {
        move |directory| {
            let known = directory == Path::new("/")
                || paths.iter().any(|(path, to)| Path::new(path) == directory && *to == "/");
            if !known {
                return Err(io::ErrorKind::NotFound.into());
            }
            let inside =
                paths.iter().filter(|(path, _)| Path::new(path).parent() == Some(directory));
            Ok(inside
                .map(|(path, to)| {
                    let entry = match *to {
                        "/" => Entry::Directory,
                        "" => Entry::Other,
                        to => Entry::Link(to.into()),
                    };
                    (Path::new(path).file_name().unwrap().to_owned(), entry)
                })
                .collect())
        }
    }

    fn told(shown: &[Shown], paths: &'static [(&str, &str)]) -> Vec<String> {
        let text = |text: &CString| text.to_str().unwrap().to_owned();
        let steps = steps(shown, &machine(paths)).unwrap();
        let told = steps.iter().map(|step| match step {
            Step::Directory(at) => format!("{}/", text(at)),
            Step::File(at) => text(at),
            Step::Link { to, at } => format!("{} -> {}", text(at), text(to)),
            Step::Show { source, at, is_own } => {
                format!("{} = {}{}", text(at), text(source), if *is_own { "?" } else { "" })
            }
            Step::EndReadOnly => "--".to_owned(),
        });
        told.collect()
    }

    fn shown(path: &str, real: &str, access: Access) -> Shown {
        Shown { path: path.into(), real: real.into(), access, is_beside: false }
    }

    #[test]
    fn what_is_shown_takes_its_place_among_the_machines_own() {
        let paths = &[
            ("/bin", "usr/bin"),
            ("/usr", "/"),
            ("/usr/bin", "/"),
            ("/proc", "/"),
            ("/tmp", "/"),
            ("/x", ""),
        ];
        let all = [
            shown("/usr/share/volume", "/home/volume", Access::ReadWrite),
            shown("/usr/key", "/home/key", Access::ReadOnly),
            shown("/tmp", "/scratch/tmp", Access::ReadWrite),
        ];
        assert_eq!(
            told(&all, paths),
            [
                "bin -> usr/bin",
                "x",
                "x = /x?",
                "proc/",
                "tmp/",
                "usr/",
                "usr/bin/",
                "usr/bin = /usr/bin?",
                "usr/key/",
                "usr/key = /home/key",
                "usr/share/",
                "usr/share/volume/",
                "--",
                "tmp = /scratch/tmp",
                "usr/share/volume = /home/volume",
            ]
        );
    }

    #[test]
    fn what_is_staged_stands_beside_the_machines_own() {
        let beside = |path: &str, real: &str| Shown {
            is_beside: true,
            ..shown(path, real, Access::ReadOnly)
        };
        let paths = &[
            ("/etc", "/"),
            ("/etc/passwd", ""),
            ("/s", "/"),
            ("/s/0", "/"),
            ("/s/0/passwd", ""),
            ("/s/0/new", "/"),
            ("/s/0/own", ""),
            ("/s/1", "/"),
            ("/s/1/top", ""),
        ];
        assert_eq!(
            told(&[beside("/etc", "/s/0"), beside("", "/s/1"), beside("/models", "/s/0")], paths),
            [
                "s/",
                "s = /s?",
                "etc/",
                "etc/new/",
                "etc/new = /s/0/new",
                "etc/own",
                "etc/own = /s/0/own",
                "etc/passwd",
                "etc/passwd = /s/0/passwd",
                "models/",
                "models = /s/0",
                "proc/",
                "top",
                "top = /s/1/top",
                "--",
            ]
        );
    }
}
