//! A guest can neither leave its mounts nor change a read-only mount.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use hype_wire::{Access, Mount};
use test_guests::escapes::FileCall::{self, *};

use super::call;

const SECRET: &str = "the secret";

/// A name and calls, the last of which must fail.
type Attempt = (&'static str, Vec<FileCall>);

/// Two mounted directories, with secret files next to them.
struct MountedDirectories(tempfile::TempDir);

impl MountedDirectories {
    fn new() -> Self {
        let directories = Self(tempfile::tempdir().unwrap());
        let path = |name: &str| directories.0.path().join(name);
        fs::create_dir(path("outside")).unwrap();
        fs::write(path("outside/secret"), SECRET).unwrap();
        fs::write(path("secret"), SECRET).unwrap();
        for mount in ["rw", "ro"] {
            fs::create_dir_all(path(mount).join("inner/deep")).unwrap();
            fs::write(path(mount).join("file"), "within").unwrap();
            symlink("../secret", path(mount).join("out")).unwrap();
            symlink(path("secret"), path(mount).join("out-absolute")).unwrap();
            symlink("../outside", path(mount).join("out-directory")).unwrap();
            symlink("/", path(mount).join("root")).unwrap();
            symlink("loop", path(mount).join("loop")).unwrap();
            symlink("file", path(mount).join("within")).unwrap();
        }
        directories
    }

    fn mount(&self, name: &str, access: Access) -> Mount {
        let source = self.0.path().join(name).to_str().unwrap().to_owned();
        Mount { source, path: format!("/{name}").parse().unwrap(), access }
    }

    /// Returns the contents, times and link counts of all files outside of the writable mount.
    fn outside(&self) -> BTreeMap<String, (Option<String>, i64, u64)> {
        let mut files = BTreeMap::new();
        let mut remaining = vec![self.0.path().to_owned()];
        while let Some(path) = remaining.pop() {
            let metadata = path.symlink_metadata().unwrap();
            let text = metadata.is_file().then(|| fs::read_to_string(&path).unwrap());
            if metadata.is_dir() {
                let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
                remaining.extend(entries.filter(|path| !path.ends_with("rw")));
            }
            let name = path.to_str().unwrap().to_owned();
            // The link count of a directory changes when a subdirectory is created.
            files.insert(name, (text, metadata.mtime(), metadata.nlink()));
        }
        files
    }

    fn attempt(&self, calls: &[FileCall]) -> Vec<Result<String, String>> {
        let mounts = vec![self.mount("rw", Access::ReadWrite), self.mount("ro", Access::ReadOnly)];
        call("attempt", (calls,), |manifest| manifest.job.mounts = mounts).unwrap()
    }
}

/// Checks that each attempt fails, each with new directories.
fn assert_denied(attempts: Vec<Attempt>) {
    assert!(!attempts.is_empty());
    for (name, calls) in attempts {
        let directories = MountedDirectories::new();
        let before = directories.outside();
        let results = directories.attempt(&calls);
        assert_eq!(results.len(), calls.len(), "{name}: {results:?}");
        let last = results.last().expect("a result");
        assert!(last.is_err(), "{name}: it returned {last:?}");
        let text = format!("{results:?}");
        assert!(!text.contains(SECRET), "{name}: {text}");
        assert_eq!(directories.outside(), before, "{name}");
    }
}

fn s(text: &str) -> String {
    text.to_owned()
}

fn read(path: &str) -> FileCall {
    Read { at: s("/rw"), path: s(path), follow: true }
}

fn write(path: &str) -> FileCall {
    Write { at: s("/rw"), path: s(path), create: true, truncate: true }
}

fn link(target: &str, path: &str) -> FileCall {
    Symlink { target: s(target), at: s("/rw"), path: s(path) }
}

fn rename(old: &str, new: &str) -> FileCall {
    Rename { from: s("/rw"), old: s(old), to: s("/rw"), new: s(new) }
}

/// Proves that the calls of the other tests work within a mount.
#[test]
fn calls_within_a_mount_succeed() {
    let directories = MountedDirectories::new();
    let at = || s("/rw");
    let results = directories.attempt(&[
        read("file"),
        read("within"),
        read("inner/../file"),
        Read { at: s("/ro"), path: s("within"), follow: true },
        write("new"),
        link("inner", "linked"),
        write("linked/new"),
        rename("new", "inner/moved"),
        Link { from: at(), old: s("file"), follow: false, to: at(), new: s("second") },
        OpenDirectory { at: at(), path: s("inner"), name: s("@inner") },
        rename("inner", "elsewhere"),
        Read { at: s("@inner"), path: s("moved"), follow: true },
        List { at: at(), path: s("elsewhere") },
        MakeDirectory { at: at(), path: s("made") },
        RemoveDirectory { at: at(), path: s("made") },
        Unlink { at: at(), path: s("second") },
        SetTimes { at: at(), path: s("file"), follow: true },
        Stat { at: s("/ro"), path: s("file"), follow: true },
        ReadLink { at: s("/ro"), path: s("within") },
    ]);
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(results[0].as_deref(), Ok("within"));
    assert_eq!(results[11].as_deref(), Ok("written by a guest"));
    assert!(results[12].as_ref().unwrap().contains("deep"), "{results:?}");
}

#[test]
fn paths_cannot_leave_a_mount() {
    let secret = "../secret";
    let mut attempts: Vec<Attempt> = Vec::new();
    for path in [
        secret,
        "./../secret",
        "inner/../../secret",
        "inner/deep/../../../secret",
        "../rw/../secret",
        "../rw/file",
        "../secret/",
        "..",
        "../",
        "inner/../..",
        "/",
        "//",
        "/etc/passwd",
        "//etc/passwd",
        "/rw/file",
        "/proc/self/root/etc/passwd",
        "root/etc/passwd",
        "root/proc/self/environ",
        "out",
        "out/",
        "out-absolute",
        "out-absolute/",
        "out-directory/secret",
        "out-directory/../secret",
        "out-directory/",
        "out-directory/.",
        "inner/../out",
        "loop",
        "loop/secret",
        "file/",
        "file/.",
        "file/../file",
        "file/../../secret",
        "within/",
        "secret\0",
        "file\0/../../secret",
        "",
    ] {
        attempts.push(("reading", vec![read(path)]));
        attempts.push(("writing", vec![write(path)]));
    }
    assert_denied(attempts);
}

#[test]
fn directories_and_metadata_outside_are_hidden() {
    let at = || s("/rw");
    let mut attempts: Vec<Attempt> = Vec::new();
    for path in ["..", "../outside", "out-directory", "out-directory/", "root", "/", "inner/../.."]
    {
        attempts.push(("listing", vec![List { at: at(), path: s(path) }]));
        attempts.push((
            "opening",
            vec![
                OpenDirectory { at: at(), path: s(path), name: s("@out") },
                Read { at: s("@out"), path: s("secret"), follow: true },
            ],
        ));
    }
    for path in ["../secret", "out", "out-absolute", "root/etc/passwd", "out-directory/secret"] {
        attempts.push(("reading metadata", vec![Stat { at: at(), path: s(path), follow: true }]));
        attempts.push(("setting times", vec![SetTimes { at: at(), path: s(path), follow: true }]));
    }
    for path in ["../secret", "out-directory/secret", "root/proc/self/exe", "../ro/out"] {
        attempts.push(("reading metadata", vec![Stat { at: at(), path: s(path), follow: false }]));
        attempts.push(("setting times", vec![SetTimes { at: at(), path: s(path), follow: false }]));
        attempts.push(("reading a link", vec![ReadLink { at: at(), path: s(path) }]));
    }
    assert_denied(attempts);
}

#[test]
fn symlinks_cannot_leave_a_mount() {
    let mut attempts: Vec<Attempt> = Vec::new();
    for target in [
        "../secret",
        "./../secret",
        "inner/../../secret",
        "/etc/passwd",
        "/rw/file",
        "/proc/self/root/etc/passwd",
        "out",
    ] {
        attempts.push(("reading a link", vec![link(target, "mine"), read("mine")]));
        // The creation of a link to an absolute path already fails.
        let over = Write { at: s("/rw"), path: s("mine"), create: false, truncate: true };
        attempts.push(("writing a link", vec![link(target, "mine"), over]));
        attempts.push(("a link's slash", vec![link(target, "mine"), read("mine/")]));
        attempts.push((
            "a link to a link",
            vec![link(target, "mine"), link("mine", "again"), read("again")],
        ));
        attempts.push((
            "a link that is moved",
            vec![link(target, "inner/deep/mine"), rename("inner/deep/mine", "mine"), read("mine")],
        ));
    }
    for target in ["../secret", "inner/../../secret", "out"] {
        attempts.push((
            "a link that was a file",
            vec![write("mine"), link(target, "other"), rename("other", "mine"), read("mine")],
        ));
    }
    for target in ["..", "../outside", "/", "inner/../.."] {
        attempts.push(("a linked directory", vec![link(target, "mine"), read("mine/secret")]));
        attempts
            .push(("a file in a linked directory", vec![link(target, "mine"), write("mine/new")]));
        attempts.push((
            "a directory in a linked directory",
            vec![link(target, "mine"), MakeDirectory { at: s("/rw"), path: s("mine/new") }],
        ));
        attempts.push((
            "a move into a linked directory",
            vec![link(target, "mine"), rename("file", "mine/new")],
        ));
        attempts.push((
            "a removal",
            vec![link(target, "mine"), Unlink { at: s("/rw"), path: s("mine/secret") }],
        ));
    }
    assert_denied(attempts);
}

#[test]
fn files_cannot_be_moved_or_linked_out_of_a_mount() {
    let (rw, ro) = (|| s("/rw"), || s("/ro"));
    let mut attempts: Vec<Attempt> = Vec::new();
    for new in ["../new", "out-directory/new", "/new", "../ro/new", "../secret", "root/tmp/new"] {
        attempts.push(("a move", vec![rename("file", new)]));
        attempts.push(("a move of a directory", vec![rename("inner", new)]));
        attempts.push((
            "a link",
            vec![Link { from: rw(), old: s("file"), follow: false, to: rw(), new: s(new) }],
        ));
        attempts.push(("a link", vec![link("file", new)]));
        attempts.push(("a directory", vec![MakeDirectory { at: rw(), path: s(new) }]));
    }
    for old in ["../secret", "../outside", "out-directory/secret", "root/etc/passwd", "../ro/file"]
    {
        attempts.push(("a move inwards", vec![rename(old, "new")]));
        attempts.push((
            "a link inwards",
            vec![Link { from: rw(), old: s(old), follow: false, to: rw(), new: s("new") }],
        ));
        attempts.push((
            "a link inwards",
            vec![Link { from: rw(), old: s(old), follow: true, to: rw(), new: s("new") }],
        ));
        attempts.push(("a removal", vec![Unlink { at: rw(), path: s(old) }]));
        attempts.push(("a removal", vec![RemoveDirectory { at: rw(), path: s(old) }]));
    }
    for link in ["out", "out-absolute"] {
        attempts.push((
            "a second name of a link",
            vec![
                Link { from: rw(), old: s(link), follow: false, to: rw(), new: s("inner/mine") },
                read("inner/mine"),
            ],
        ));
        attempts.push((
            "a name of what a link points to",
            vec![
                Link { from: rw(), old: s(link), follow: true, to: rw(), new: s("mine") },
                read("mine"),
            ],
        ));
    }
    for (from, to) in [(rw(), ro()), (ro(), rw()), (s("/tmp"), ro()), (ro(), s("/tmp"))] {
        let move_it = Rename { from: from.clone(), old: s("file"), to: to.clone(), new: s("new") };
        attempts.push(("a move from mount to mount", vec![move_it]));
        attempts.push((
            "a link from mount to mount",
            vec![Link { from, old: s("file"), follow: false, to, new: s("new") }],
        ));
    }
    assert_denied(attempts);
}

#[test]
fn moved_open_directory_cannot_leave_a_mount() {
    let at = || s("@deep");
    let opened = || {
        vec![
            OpenDirectory { at: s("/rw"), path: s("inner/deep"), name: at() },
            rename("inner/deep", "deep"),
        ]
    };
    let mut attempts: Vec<Attempt> = Vec::new();
    for path in ["..", "../file", "../../secret", "../../rw/file", "../out", "../../../secret"] {
        let mut calls = opened();
        calls.push(Read { at: at(), path: s(path), follow: true });
        attempts.push(("reading", calls));
        let mut calls = opened();
        calls.push(Write { at: at(), path: s(path), create: true, truncate: true });
        attempts.push(("writing", calls));
    }
    assert_denied(attempts);
}

#[test]
fn read_only_mount_cannot_be_changed() {
    let at = || s("/ro");
    let mut attempts: Vec<Attempt> = Vec::new();
    for path in ["file", "within", "new", "inner/new", "file/", "inner/../file"] {
        for (create, truncate) in [(false, false), (true, false), (false, true), (true, true)] {
            let call = Write { at: at(), path: s(path), create, truncate };
            attempts.push(("writing", vec![call]));
        }
        attempts.push(("removing", vec![Unlink { at: at(), path: s(path) }]));
        attempts.push(("removing", vec![RemoveDirectory { at: at(), path: s(path) }]));
        attempts.push(("making", vec![MakeDirectory { at: at(), path: s(path) }]));
        attempts.push(("linking", vec![Symlink { target: s("file"), at: at(), path: s(path) }]));
        for follow in [true, false] {
            attempts.push(("setting times", vec![SetTimes { at: at(), path: s(path), follow }]));
        }
    }
    let within = |old: &str, new: &str| Rename { from: at(), old: s(old), to: at(), new: s(new) };
    attempts.push(("moving", vec![within("file", "new")]));
    attempts.push(("moving", vec![within("inner/deep", "deep")]));
    attempts.push((
        "linking",
        vec![Link { from: at(), old: s("file"), follow: false, to: at(), new: s("new") }],
    ));
    let opened = OpenDirectory { at: at(), path: s("inner"), name: s("@inner") };
    let write = Write { at: s("@inner"), path: s("new"), create: true, truncate: false };
    attempts.push(("writing to what was opened", vec![opened.clone(), write]));
    let remove = RemoveDirectory { at: s("@inner"), path: s("deep") };
    attempts.push(("removing from what was opened", vec![opened, remove]));
    for path in ["../ro/new", "../ro/file", "../ro/inner/new"] {
        let call = Write { at: s("/rw"), path: s(path), create: true, truncate: true };
        attempts.push(("writing from the other mount", vec![call]));
    }
    let linked = Symlink { target: s("../ro/file"), at: s("/rw"), path: s("mine") };
    let write = Write { at: s("/rw"), path: s("mine"), create: false, truncate: true };
    attempts.push(("writing through a link from the other mount", vec![linked, write]));
    assert_denied(attempts);
}

/// Proves that the snapshot contains the secrets and omits the writable mount.
#[test]
fn snapshot_contains_only_files_outside_of_the_writable_mount() {
    let directories = MountedDirectories::new();
    let outside = directories.outside();
    let secret = directories.0.path().join("secret");
    assert_eq!(outside[secret.to_str().unwrap()].0.as_deref(), Some(SECRET));
    assert!(
        !outside.keys().any(|path| Path::new(path).starts_with(directories.0.path().join("rw")))
    );
}
