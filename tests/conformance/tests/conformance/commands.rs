//! Commands of closures in the local runner, hostile ones included. They need Linux namespaces.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

use std::process::Command;

use conformance::cases::commands::{command, granting, output_of, script};
use conformance::leftover_processes::{ProcessMark, outliving_commands};
use hype::{HostDirectory, Submitter};
use test_guests::process::{CommandSpec, exchange_files, leave, perform, start_and_wait};

/// Creates a submitter with its own stage.
fn local() -> hype::Result<Submitter> {
    let stage = tempfile::tempdir().unwrap();
    Submitter::local_with(&format!("file://{}", stage.keep().display()))
}

#[test]
fn cancel_kills_all_processes() {
    conformance::run(local, async |submitter| {
        let mark = ProcessMark::new();
        for spec in outliving_commands(&mark) {
            let run = submitter.spawn(start_and_wait(spec), &granting(&["sh"]));
            let mut logs = run.logs();
            let started = futures::StreamExt::next(&mut logs).await.unwrap();
            assert_eq!(started.text, "started");
            assert!(!mark.remaining().is_empty());
            run.cancel().await.unwrap();
            assert_eq!(mark.remaining(), [""; 0]);
        }
    });
}

#[test]
fn returning_closure_kills_all_processes() {
    conformance::run(local, async |submitter| {
        let mark = ProcessMark::new();
        submitter.submit(leave(outliving_commands(&mark)), &granting(&["sh"])).await.unwrap();
        assert_eq!(mark.remaining(), [""; 0]);
    });
}

/// The machine's files and read-only mounts stay read-only, whatever a command tries.
#[test]
fn command_cannot_write_read_only_files() {
    conformance::run(local, async |submitter| {
        let directory = tempfile::tempdir().unwrap();
        let host = HostDirectory::new(directory.path());
        let env = granting(&["sh"]).with_mount(host.mount_read_only("/data"));
        for attempt in [
            "touch /data/new",
            "touch /usr/new",
            "mount -o remount,bind,rw /data && touch /data/new",
            "unshare -Urm sh -c 'mount -o remount,bind,rw /data; touch /data/new'",
            "umount /data",
            "mkdir /tmp/a && mount -t tmpfs none /tmp/a",
        ] {
            let done = submitter.submit(perform(script(attempt)), &env).await.unwrap();
            assert!(done.code != Some(0) && !done.err.is_empty(), "{attempt}: {done:?}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    });
}

#[test]
fn missing_namespaces_fail_before_the_run() {
    conformance::build_guests();
    let none = "echo 0 >/proc/sys/user/max_user_namespaces; exec \"$0\" \"$1\"";
    let ended = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", none, env!("CARGO_BIN_EXE_ended")])
        .arg("command")
        .output()
        .unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("error: this machine cannot run a closure's commands"), "{stderr}");
    assert!(stderr.contains("the system refuses namespaces: "), "{stderr}");
    assert!(stderr.contains("Submitter::docker()"), "{stderr}");
}

#[test]
fn command_sees_closure_tmp_and_staged_files() {
    conformance::run(local, async |submitter| {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("word");
        std::fs::write(&source, "staged\n").unwrap();
        let env = granting(&["sh", "cat"])
            .with_file(&source, "/etc/hype-test/word")
            .with_file(&source, "/hype-test-word")
            .with_file(&source, "/etc/hype-test-word");
        for path in ["/etc/hype-test/word", "/hype-test-word", "/etc/hype-test-word"] {
            assert_eq!(output_of(submitter, command(&["cat", path]), &env).await, "staged\n");
        }
        // The machine's files stay visible beside staged ones, except its /tmp.
        let seen = output_of(submitter, script("ls /etc/passwd; ls -A /tmp; pwd"), &env).await;
        assert_eq!(seen, "/etc/passwd\n/\n");
        let inside =
            CommandSpec { directory: Some("/tmp".into()), ..script("pwd; echo 1 >a; cat /tmp/a") };
        assert_eq!(output_of(submitter, inside, &env).await, "/tmp\n1\n");
    });
}

/// Also files that the command's user shows to nobody else.
#[test]
fn closure_and_command_change_files_of_each_other() {
    conformance::run(local, async |submitter| {
        let text = "umask 077; mkdir /tmp/private; tr a-z A-Z </tmp/question >/tmp/private/answer; \
                    echo >>/tmp/question; rm /tmp/question";
        let env = granting(&["sh"]);
        let answer = submitter.submit(exchange_files(script(text)), &env).await.unwrap();
        assert_eq!(answer, "CLOSURE");
    });
}

#[test]
fn command_fills_no_more_than_its_tmp() {
    conformance::run(local, async |submitter| {
        let text = "for i in 1 2 3 4 5 6 7; do head -c 200000000 /dev/zero >/tmp/$i; done; du -sm /tmp | cut -f 1";
        let done = submitter.submit(perform(script(text)), &granting(&["sh"])).await.unwrap();
        assert!(done.err.contains("No space left on device"), "{done:?}");
        assert!(done.out.trim().parse::<u32>().unwrap() <= 1_126, "{done:?}");
    });
}

#[test]
fn command_reaches_no_socket_of_a_daemon() {
    conformance::run(local, async |submitter| {
        let directory = tempfile::tempdir().unwrap();
        let _daemon = std::os::unix::net::UnixListener::bind(directory.path().join("s")).unwrap();
        let host = HostDirectory::new(directory.path());
        let env = granting(&["perl"]).with_mount(host.mount_read_write("/data"));
        let connect = "use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, sockaddr_un('/data/s')) or die $!";
        let done =
            submitter.submit(perform(command(&["perl", "-e", connect])), &env).await.unwrap();
        assert!(done.err.contains("Operation not permitted"), "{done:?}");
    });
}

/// A command that types into the terminal of its program would have its user's shell run it.
#[test]
fn command_types_into_no_terminal() {
    conformance::run(local, async |submitter| {
        let typing = "open(T, '<', '/dev/tty') or open(T, '<&', STDIN); ioctl(T, 0x5412, my $c = 'x') or die $!";
        let done =
            submitter.submit(perform(command(&["perl", "-e", typing])), &granting(&["perl"])).await;
        let done = done.unwrap();
        assert!(done.err.contains("Operation not permitted"), "{done:?}");
        let seen = output_of(submitter, script("ls /dev; ls -A /run"), &granting(&["sh"])).await;
        assert!(
            !seen.contains("tty") && !seen.contains("pts") && !seen.contains(".sock"),
            "{seen}"
        );
    });
}

#[test]
fn command_changes_nothing_in_proc() {
    conformance::run(local, async |submitter| {
        for path in ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/dev/vda", "/dev/kmsg"] {
            let text = format!("cat {path} >/tmp/now; cat /tmp/now >{path}");
            let done = submitter.submit(perform(script(&text)), &granting(&["sh"])).await.unwrap();
            assert_ne!(done.code, Some(0), "{path}: {done:?}");
        }
    });
}

/// It sees no process of this machine.
#[test]
fn command_sees_no_other_processes() {
    conformance::run(local, async |submitter| {
        let mark = ProcessMark::new();
        let all = mark.script("cat /proc/[0-9]*/environ | tr '\\0' '\\n'");
        let seen = output_of(submitter, all, &granting(&["sh"])).await;
        assert!(seen.contains(mark.text()) && !seen.contains("CARGO_MANIFEST_DIR"), "{seen}");
    });
}
