//! Runs commands in rooms on this machine, some of which try to escape.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use hype_wire::{Access, CommandRights, VariableName};
use wasmtime_wasi::p2::Pollable;

use crate::limits::COMMANDS;
use crate::process::isolation::CommandRoom;
use crate::process::place::Shown;

use guest::{Guest, job, read};

mod guest;

fn here<T>(test: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(test())
}

/// Runs a script in a new room. Returns its output, and panics if it fails.
async fn said(script: &str) -> String {
    let done =
        Guest::new(&job(CommandRights::default()), Vec::new()).run(&["sh", "-c", script]).await;
    assert_eq!((done.code, &*done.err), (Some(0), ""), "{script}: {done:?}");
    done.out
}

/// Asserts that a Python script ends with the status `errno`.
async fn denied(guest: &mut Guest, script: &str, errno: i32) {
    let text = format!(
        "import ctypes, os, socket, sys, fcntl\nlibc = ctypes.CDLL(None, use_errno=True)\n\
         def call(*all):\n  if libc.syscall(*all) < 0: sys.exit(ctypes.get_errno())\n\
         try:\n  {script}\nexcept OSError as error: sys.exit(error.errno)\n"
    );
    let done = guest.run(&["python3", "-c", &text]).await;
    assert_eq!(done.code.map(i32::from), Some(errno), "{script}: {done:?}");
}

fn plain() -> Guest {
    Guest::new(&job(CommandRights::default()), Vec::new())
}

#[test]
fn room_has_its_own_devices_and_no_daemons() {
    here(async || {
        let devices = "fd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero\n";
        assert_eq!(said("ls /dev").await, devices);
        assert_eq!(
            said("echo gone >/dev/null; echo kept >/dev/stdout; head -c 2 /dev/zero | wc -c").await,
            "kept\n2\n"
        );
        assert_eq!(said("ls -A /run; ls -A /tmp; ls /etc/passwd").await, "/etc/passwd\n");
    });
}

#[test]
fn ended_command_with_unread_output_keeps_its_slot() {
    here(async || {
        let mut guest = plain();
        let mut ended = Vec::new();
        for _ in 0..COMMANDS {
            let mut child = guest.spawn(&["sh", "-c", "echo unread"], &[]).unwrap();
            child.end.ready().await;
            ended.push(child);
        }
        let error = guest.spawn(&["sh", "-c", ":"], &[]).err().unwrap();
        assert!(error.contains("64 commands are running or have an open stream"), "{error}");
        let mut child = ended.pop().unwrap();
        assert_eq!(read(&mut child.stdout.take().unwrap()).await, "unread\n");
        assert!(guest.spawn(&["sh", "-c", ":"], &[]).is_err());
        assert_eq!(read(child.stderr.as_mut().unwrap()).await, "");
        guest.spawn(&["sh", "-c", ":"], &[]).unwrap();
    });
}

#[test]
fn command_has_no_capabilities() {
    here(async || {
        let status = said("cat /proc/self/status").await;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap_or_default().to_owned()
        };
        for name in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(field(name), "0".repeat(16), "{name}");
        }
        assert_eq!((&*field("NoNewPrivs:"), &*field("Seccomp:")), ("1", "2"));
        if rustix::process::geteuid().is_root() {
            assert_eq!(
                (&*field("Uid:"), &*field("Gid:"), &*field("Groups:")),
                ("65534", "65534", "")
            );
        }
    });
}

#[test]
fn command_has_a_session_without_terminal() {
    here(async || {
        // The process ID, session and terminal of the shell.
        let fields = said("cut -d ' ' -f 1,6,7 /proc/$$/stat").await;
        let fields: Vec<_> = fields.split_whitespace().collect();
        assert_eq!((fields[0], fields[2]), (fields[1], "0"));
        let mut guest = plain();
        for request in ["0x5412", "0x541C", "0x100005412"] {
            denied(
                &mut guest,
                &format!("call({}, 0, {request}, b'x')", libc::SYS_ioctl),
                libc::EPERM,
            )
            .await;
        }
    });
}

#[test]
fn system_is_read_only() {
    here(async || {
        let mut guest = plain();
        for path in [
            "/proc/sys/kernel/hostname",
            "/proc/sysrq-trigger",
            "/proc/self/oom_score_adj",
            "/sys/kernel/uevent_seqnum",
            "/etc/passwd",
            "/new",
            "/dev/new",
            "/run/new",
        ] {
            let done = guest.run(&["sh", "-c", &format!("echo 1 >{path}")]).await;
            assert_ne!(done.code, Some(0), "{path}");
        }
        assert_eq!(said("cat /proc/kcore /proc/keys 2>/dev/null | wc -c").await, "0\n");
    });
}

#[test]
fn dangerous_system_calls_are_denied() {
    here(async || {
        let mut guest = plain();
        for (call, arguments) in [
            (libc::SYS_unshare, "0x10000000"),
            (libc::SYS_clone, "0x10000011, 0, 0, 0, 0"),
            (libc::SYS_mount, "0, b'/tmp', 0, 0x1000, 0"),
            (libc::SYS_ptrace, "0, 0, 0, 0"),
            (libc::SYS_bpf, "0, 0, 0"),
            (libc::SYS_keyctl, "0, 0, 0"),
            (libc::SYS_userfaultfd, "1"),
            (libc::SYS_perf_event_open, "0, 0, -1, -1, 0"),
            (libc::SYS_process_vm_writev, "1, 0, 0, 0, 0, 0"),
            (libc::SYS_personality, "0x40000"),
        ] {
            denied(&mut guest, &format!("call({call}, {arguments})"), libc::EPERM).await;
        }
        for call in [libc::SYS_clone3, libc::SYS_io_uring_setup, 0x4000_0000 + 39] {
            denied(&mut guest, &format!("call({call}, 0, 0)"), libc::ENOSYS).await;
        }
    });
}

#[test]
fn unix_sockets_of_daemons_are_unreachable() {
    here(async || {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let path = directory.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
        let data = Shown {
            path: "/data".into(),
            real: directory.path().into(),
            access: Access::ReadWrite,
            is_beside: false,
        };
        for network in [false, true] {
            let job = job(CommandRights { network, ..CommandRights::default() });
            let mut guest = Guest::new(&job, vec![data.clone()]);
            let connect = "socket.socket(socket.AF_UNIX).connect('/data/socket')";
            denied(&mut guest, connect, libc::EPERM).await;
            let datagrams = "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)";
            denied(&mut guest, datagrams, libc::EPERM).await;
            denied(&mut guest, "socket.socketpair()", 0).await;
        }
    });
}

#[test]
fn network_needs_a_grant() {
    here(async || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connect = format!("socket.create_connection(('127.0.0.1', {port}))");
        denied(&mut plain(), &connect, libc::EPERM).await;
        assert_eq!(said("tail -n +3 /proc/net/dev | cut -d : -f 1 | tr -d ' '").await, "lo\n");
        let job = job(CommandRights { network: true, ..CommandRights::default() });
        let mut guest = Guest::new(&job, Vec::new());
        denied(&mut guest, &connect, 0).await;
        denied(&mut guest, "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", libc::EPERM).await;
        denied(&mut guest, "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", libc::EPERM).await;
    });
}

#[test]
fn processes_are_bounded() {
    here(async || {
        let text = "import os, signal\nn = 0\ntry:\n  while n < 3000:\n    if os.fork() == 0:\n      \
                    os.closerange(0, 3)\n      signal.pause()\n    n += 1\nexcept OSError: pass\nprint(n)";
        let done = plain().run(&["python3", "-c", text]).await;
        let made: u64 = done.out.trim().parse().unwrap_or_else(|_| panic!("{done:?}"));
        assert!((900..=crate::limits::COMMAND_PROCESSES).contains(&made), "{made}");
    });
}

#[test]
fn tmp_is_limited_and_shared_with_the_guest() {
    here(async || {
        let mut job = job(CommandRights::default());
        job.limits.tmp = Some(8 << 20);
        let mut guest = Guest::new(&job, Vec::new());
        let fill =
            "for i in 1 2 3 4; do head -c 3000000 /dev/zero >/tmp/$i; done; du -sk /tmp | cut -f 1";
        let done = guest.run(&["sh", "-c", fill]).await;
        assert!(done.err.contains("No space left"), "{done:?}");
        assert!(done.out.trim().parse::<u64>().unwrap() <= 9 << 10, "{done:?}");
        let real = guest.shown.last().unwrap().real.clone();
        assert_eq!(std::fs::metadata(real.join("1")).unwrap().len(), 3_000_000);
        // Commands can change the guest's files.
        std::fs::write(real.join("1"), "one\n").unwrap();
        std::fs::create_dir(real.join("made")).unwrap();
        let done = guest
            .run(&["sh", "-c", "echo two >>/tmp/1; echo three >/tmp/made/x; rm /tmp/2; cat /tmp/1"])
            .await;
        assert_eq!((&*done.out, &*done.err), ("one\ntwo\n", ""));
        assert_eq!(std::fs::read_to_string(real.join("made/x")).unwrap(), "three\n");
        let done = guest
            .run(&["sh", "-c", "cp /bin/true /tmp/true; chmod 755 /tmp/true; /tmp/true"])
            .await;
        assert!(done.err.contains("Permission denied"), "{done:?}");
        let done = guest.run(&["sh", "-c", "head -c 9000000 /dev/zero >/tmp/4"]).await;
        assert_ne!(done.code, Some(0));
    });
}

#[test]
fn memory_of_a_process_is_limited() {
    here(async || {
        let mut job = job(CommandRights::default());
        job.limits.memory = Some(256 << 20);
        let mut guest = Guest::new(&job, Vec::new());
        let take = |mebibytes: u32| format!("x = bytearray({mebibytes} << 20)");
        let done = guest.run(&["python3", "-c", &take(100)]).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        let done = guest.run(&["python3", "-c", &take(300)]).await;
        assert!(done.err.contains("MemoryError"), "{done:?}");
    });
}

#[test]
fn mounts_keep_the_rights_of_their_user() {
    here(async || {
        let directory = tempfile::tempdir().unwrap();
        let secret = tempfile::tempdir().unwrap();
        let mut file = std::fs::File::create(secret.path().join("key")).unwrap();
        file.write_all(b"hush").unwrap();
        file.set_permissions(PermissionsExt::from_mode(0o600)).unwrap();
        let show = |path: &str, real: &Path, access| Shown {
            path: path.into(),
            real: real.into(),
            access,
            is_beside: false,
        };
        let shown = vec![
            show("/usr/share/volume", directory.path(), Access::ReadWrite),
            show("/etc/key", secret.path(), Access::ReadOnly),
        ];
        let mut guest = Guest::new(&job(CommandRights::default()), shown);
        let script =
            "cat /etc/key/key; echo one >/usr/share/volume/word; ls -l /etc/passwd | cut -c 1";
        let done = guest.run(&["sh", "-c", script]).await;
        assert_eq!((&*done.out, &*done.err), ("hush-\n", ""));
        assert_eq!(std::fs::read_to_string(directory.path().join("word")).unwrap(), "one\n");
        use std::os::unix::fs::MetadataExt;
        let owner = std::fs::metadata(directory.path().join("word")).unwrap().uid();
        assert_eq!(owner, rustix::process::geteuid().as_raw());
        let done = guest.run(&["sh", "-c", "echo two >/etc/key/key"]).await;
        assert_ne!(done.code, Some(0));
    });
}

#[test]
fn guest_sets_only_allowed_variables() {
    here(async || {
        let variables = [VariableName::try_from("LANG".to_owned()).unwrap()].into();
        let mut guest = Guest::new(&job(CommandRights { variables, network: false }), Vec::new());
        let echo = ["sh", "-c", "echo $GREETING $LANG"];
        let done = guest.start(&echo, &[("GREETING", "bye"), ("LANG", "C")]).await.unwrap();
        assert_eq!(done.out, "bye C\n");
        for name in ["OPENSSL_CONF", "GIT_SSH_COMMAND", "BASH_FUNC_ls%%", "LD_PRELOAD", "X"] {
            let error = guest.start(&echo, &[(name, "() { :; }")]).await.unwrap_err();
            assert!(error.contains(&format!("cannot set the variable {name} of")), "{error}");
        }
        let seen: BTreeMap<_, _> = std::env::vars().collect();
        let done = guest.run(&["sh", "-c", "env"]).await;
        assert!(
            !seen.contains_key("CARGO_MANIFEST_DIR") || !done.out.contains("CARGO"),
            "{done:?}"
        );
    });
}

/// A command that starts further ones is bounded together with them.
#[test]
fn commands_share_the_memory_of_their_room() {
    here(async || {
        if !CommandRoom::of_this_machine().has_memory_group {
            tracing::warn!("not run: this user cannot create a control group");
            return;
        }
        let mut job = job(CommandRights::default());
        job.limits.memory = Some(64 << 20);
        job.limits.tmp = Some(16 << 20);
        let hold = "import os, subprocess, sys\n\
                    held, more = b'x' * (40 << 20), int(sys.argv[1])\n\
                    again = [sys.executable, '-c', os.environ['HOLD'], str(more - 1)]\n\
                    sys.exit(abs(subprocess.run(again).returncode) if more else 0)";
        for (more, is_enough) in [(0, true), (3, false)] {
            let mut guest = Guest::new(&job, Vec::new());
            let script = format!("export HOLD=\"{hold}\"; exec python3 -c \"$HOLD\" {more}");
            let done = guest.run(&["sh", "-c", &script]).await;
            assert_eq!(done.code == Some(0), is_enough, "{more} more: {done:?}");
            assert_eq!(done.err, "", "{more} more");
        }
    });
}

#[test]
fn room_sees_no_other_processes() {
    here(async || {
        let seen = said("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").await;
        assert!(seen.starts_with("sh -c read _ "), "{seen}");
        let unmasked = std::process::id().to_string();
        assert!(!seen.contains(&unmasked) && !seen.contains("hype_run"), "{seen}");
    });
}

/// The room's `/proc` is empty where `/proc` of this process is partly hidden.
#[test]
fn room_in_hidden_proc_sees_no_processes() {
    const INSIDE: &str = "HYPE_TEST_HIDDEN_PROC";
    if std::env::var_os(INSIDE).is_some() {
        return here(async || assert_eq!(said("ls -A /proc; echo ended").await, "ended\n"));
    }
    let hide = "mount --bind /dev/null /proc/version && exec \"$@\"";
    let ended = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", hide, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "process::room::tests::room_in_hidden_proc_sees_no_processes"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ended.stdout);
    let err = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && out.contains("1 passed"), "{out}{err}");
}
