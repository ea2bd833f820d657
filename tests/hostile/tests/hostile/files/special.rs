//! Files that are neither regular files nor directories.

use std::process::Command;

use hype_wire::{Access, Mount};

use super::call;

/// Returns the number of threads of this process.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[cfg(target_os = "linux")]
#[test]
fn fifo_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let made = Command::new("mkfifo").arg(directory.path().join("fifo")).status().unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink("fifo", directory.path().join("link")).unwrap();
    let mount = Mount {
        path: "/data".parse().unwrap(),
        source: directory.path().to_str().unwrap().to_owned(),
        access: Access::ReadWrite,
    };
    let before = threads();
    for _ in 0..20 {
        for path in ["/data/fifo", "/data/link"] {
            let outcome: Result<String, _> =
                call("read", (path,), |manifest| manifest.job.mounts.push(mount.clone()));
            let failure = outcome.unwrap_err();
            assert_eq!(failure.kind, hype_wire::FailureKind::Function, "{failure:?}");
        }
    }
    assert!(threads() < before + 20, "{} threads after {before}", threads());
}
