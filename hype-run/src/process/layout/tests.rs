use super::*;

/// Returns the `list` function of a machine with these paths. The second value is `/` for a directory, the target for a
/// symbolic link, and empty for other files.
fn machine(
    paths: &'static [(&str, &str)],
) -> impl Fn(&Path) -> io::Result<BTreeMap<OsString, Entry>> {
    move |directory| {
        let known = directory == Path::new("/")
            || paths.iter().any(|(path, to)| Path::new(path) == directory && *to == "/");
        if !known {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = paths.iter().filter(|(path, _)| Path::new(path).parent() == Some(directory));
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

/// Returns the steps as text, except for those below `/dev`, which are always the same.
fn listed(root: &Root<'_>, paths: &'static [(&str, &str)]) -> Vec<String> {
    let text = |text: &CString| text.to_str().unwrap().to_owned();
    let steps = steps(root, &machine(paths)).unwrap();
    let listed = steps.iter().map(|step| match step {
        Step::Directory(at) => format!("{}/", text(at)),
        Step::File(at) => text(at),
        Step::Link { to, at } => format!("{} -> {}", text(at), text(to)),
        Step::Show { source, at, is_own } => {
            format!("{} = {}{}", text(at), text(source), if *is_own { "?" } else { "" })
        }
        Step::Seal { is_read_only } => if *is_read_only { "-- read" } else { "--" }.to_owned(),
        Step::Tmp { at, options } => format!("{} of {}", text(at), text(options)),
    });
    listed.filter(|step| !step.starts_with("dev/")).collect()
}

const TMP: &str = "tmp of mode=777,size=1048576,nr_inodes=256";

fn root(shown: &[Shown]) -> Root<'_> {
    Root { shown, files: &[], tmp: 1 << 20 }
}

fn shown(path: &str, real: &str, access: Access) -> Shown {
    Shown { path: path.into(), real: real.into(), access, is_beside: false }
}

#[test]
fn mount_keeps_other_entries_of_its_parents() {
    let paths = &[
        ("/dev", "/"),
        ("/dev/sda", ""),
        ("/run", "/"),
        ("/run/daemon.sock", ""),
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
    ];
    assert_eq!(
        listed(&root(&all), paths),
        [
            "bin -> usr/bin",
            "x",
            "x = /x?",
            "proc/",
            "run/",
            "tmp/",
            "usr/",
            "usr/bin/",
            "usr/bin = /usr/bin?",
            "usr/key/",
            "usr/key = /home/key",
            "usr/share/",
            "usr/share/volume/",
            "-- read",
            TMP,
            "usr/share/volume = /home/volume",
            "--",
        ]
    );
}

#[test]
fn staged_files_are_added_to_machine_directories() {
    let beside =
        |path: &str, real: &str| Shown { is_beside: true, ..shown(path, real, Access::ReadOnly) };
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
        listed(
            &root(&[beside("/etc", "/s/0"), beside("", "/s/1"), beside("/models", "/s/0")]),
            paths
        ),
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
            "run/",
            "tmp/",
            "top",
            "top = /s/1/top",
            "-- read",
            TMP,
            "--",
        ]
    );
}

#[test]
fn room_has_devices_and_an_empty_run() {
    let paths: &'static [(&str, &str)] = &[
        ("/var", "/"),
        ("/var/run", "/"),
        ("/var/run/sock", ""),
        ("/var/log", "/"),
        ("/dev", "/"),
    ];
    let parts = Root { files: &["/run/resolve/conf".into()], ..root(&[]) };
    let all = listed(&parts, paths);
    assert!(all.contains(&"var/run/".to_owned()) && !all.iter().any(|it| it.contains("sock")));
    assert!(all.contains(&"run/resolve/conf = /run/resolve/conf".to_owned()), "{all:?}");
    let steps = steps(&parts, &machine(paths)).unwrap();
    let devices = steps.iter().rev().map_while(|step| match step {
        Step::Show { source, .. } => source.to_str().ok(),
        _ => None,
    });
    let devices: Vec<_> = devices.collect();
    assert_eq!(devices, ["/dev/zero", "/dev/urandom", "/dev/random", "/dev/null", "/dev/full"]);
}
