//! Commands of closures in this process, and what hostile ones try. They run in namespaces, which this system must
//! have.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

use std::process::Command;

use conformance::cases::commands::{granting, order, said, script};
use conformance::left::{Mark, outliving};
use hype::{HostDirectory, Submitter};
use test_guests::process::{Order, leave, perform, start_and_wait};

/// A submitter with a stage of its own, in a process that has one anyway.
fn local() -> hype::Result<Submitter> {
    let stage = tempfile::tempdir().unwrap();
    Submitter::local_with(&format!("file://{}", stage.keep().display()))
}

#[test]
fn nothing_is_left_of_a_cancelled_run() {
    conformance::run(local, async |submitter| {
        let mark = Mark::new();
        for order in outliving(&mark) {
            let run = submitter.spawn(start_and_wait(order), &granting(&["sh"]));
            let mut logs = run.logs();
            let started = futures::StreamExt::next(&mut logs).await.unwrap();
            assert_eq!(started.text, "started");
            assert!(!mark.left().is_empty());
            run.cancel().await.unwrap();
            assert_eq!(mark.left(), [""; 0]);
        }
    });
}

#[test]
fn nothing_is_left_of_a_closure_that_returned() {
    conformance::run(local, async |submitter| {
        let mark = Mark::new();
        submitter.submit(leave(outliving(&mark)), &granting(&["sh"])).await.unwrap();
        assert_eq!(mark.left(), [""; 0]);
    });
}

/// The machine is there for reading, and what is mounted for reading stays that, whatever a command tries.
#[test]
fn what_is_for_reading_stays_that() {
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
fn a_machine_without_namespaces_says_so_before_anything_runs() {
    conformance::build_guests();
    let none = "echo 0 >/proc/sys/user/max_user_namespaces; exec \"$0\" \"$1\"";
    let ended = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", none, env!("CARGO_BIN_EXE_ended")])
        .arg("command")
        .output()
        .unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("error: this machine cannot run a closure's commands"), "{told}");
    assert!(told.contains("the system refuses namespaces: "), "{told}");
    assert!(told.contains("Submitter::docker()"), "{told}");
}

#[test]
fn tmp_is_the_closures_and_what_is_staged_is_at_its_path() {
    conformance::run(local, async |submitter| {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("word");
        std::fs::write(&source, "staged\n").unwrap();
        let env = granting(&["sh", "cat"])
            .with_file(&source, "/etc/hype-test/word")
            .with_file(&source, "/hype-test-word")
            .with_file(&source, "/etc/hype-test-word");
        for path in ["/etc/hype-test/word", "/hype-test-word", "/etc/hype-test-word"] {
            assert_eq!(said(submitter, order(&["cat", path]), &env).await, "staged\n");
        }
        // What this machine has is still beside it, but for its /tmp.
        let seen = said(submitter, script("ls /etc/passwd; ls -A /tmp; pwd"), &env).await;
        assert_eq!(seen, "/etc/passwd\n/\n");
        let inside =
            Order { directory: Some("/tmp".into()), ..script("pwd; echo 1 >a; cat /tmp/a") };
        assert_eq!(said(submitter, inside, &env).await, "/tmp\n1\n");
    });
}

/// It sees no process of this machine.
#[test]
fn a_command_sees_no_other_processes() {
    conformance::run(local, async |submitter| {
        let mark = Mark::new();
        let all = mark.script("cat /proc/[0-9]*/environ | tr '\\0' '\\n'");
        let seen = said(submitter, all, &granting(&["sh"])).await;
        assert!(seen.contains(mark.text()) && !seen.contains("CARGO_MANIFEST_DIR"), "{seen}");
    });
}
