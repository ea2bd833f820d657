//! The processes of workers: they end with their program, and one that is stuck delays no run beyond its deadline.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use hostile::Guest;
use hostile::attack::runtime;
use hostile::staged::failure_text;
use hype_run::{CodeKind, GuestOutput, Prepared};
use hype_wire::{End, FailureKind};
use tokio::sync::Semaphore;

use crate::workers::{
    ENDLESS, PRINTING_ENDLESS, assert_failure, assert_value, report, staged, wait_for, workers,
};

/// The body of a guest that computes longer than a call waits for a worker, and then returns nil.
const BUSY: &str = "
    (loop $again
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (br_if $again (i32.lt_u (global.get $count) (i32.const 100000000))))
    (call $nil)";
const BUSY_ITEMS: &str = "(global $count (mut i32) (i32.const 0))";

/// The variable that makes a test the program whose processes it looks for. Its value is the test's name.
pub(crate) const PROGRAM: &str = "HYPE_TEST_PROGRAM";

/// Returns the processes of this machine whose parent is `parent`.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let parent_of = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()
    };
    processes().filter(|pid| parent_of(pid) == Some(parent)).collect()
}

pub(crate) fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Returns the fork servers of the program `owner`, which have a pidfd of it as their standard output.
pub(crate) fn servers_of(owner: u32) -> Vec<u32> {
    let line = format!("Pid:\t{owner}\n");
    let is_server = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/fdinfo/1"))
            .is_ok_and(|info| info.contains(&line))
    };
    processes().filter(is_server).collect()
}

/// Returns the fork servers of the program `owner`, and their workers.
pub(crate) fn processes_of(owner: u32) -> Vec<u32> {
    let servers = servers_of(owner);
    let workers: Vec<u32> = servers.iter().flat_map(|server| children(*server)).collect();
    [servers, workers].concat()
}

pub(crate) fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Waits until `is_done`.
pub(crate) fn wait_until(what: &str, is_done: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_done() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until none of the processes is left.
pub(crate) fn wait_until_gone(processes: &[u32]) {
    wait_until(&format!("{processes:?} are left"), || {
        !processes.iter().any(|pid| is_running(*pid))
    });
}

/// Returns this program again, to run `test` alone, with temporary files in `directory`. Other tests have fork servers of
/// their own.
pub(crate) fn program(test: &str, directory: &Path) -> Command {
    program_at(&std::env::current_exe().unwrap(), test, directory)
}

/// Returns the copy of this program at `path`, as [`program`] does.
pub(crate) fn program_at(path: &Path, test: &str, directory: &Path) -> Command {
    let mut program = Command::new(path);
    program.args(["--exact", test]);
    program.env(PROGRAM, test).env("TMPDIR", directory).stdout(Stdio::null());
    program
}

/// Returns the path of another name or of a copy of this program in `directory`.
pub(crate) fn copy_of_this_program(directory: &Path) -> PathBuf {
    let (own, copy) = (std::env::current_exe().unwrap(), directory.join("program"));
    if std::fs::hard_link(&own, &copy).is_err() {
        // Another process writes the copy: a program that a concurrent test starts could inherit the descriptor from this
        // one, and a file that is open for writing can't be executed.
        let status = Command::new("cp").args([&own, &copy]).status().unwrap();
        assert!(status.success(), "{status}");
    }
    copy
}

/// Runs `test` in a program of its own, which does `work`.
pub(crate) fn in_program(test: &str, work: impl AsyncFnOnce()) {
    if std::env::var_os(PROGRAM).is_some() {
        runtime().block_on(work());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let status = program(test, directory.path()).status().unwrap();
    assert!(status.success(), "{status}");
}

fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "{status}");
}

/// Returns the directories of workers in `directory`.
pub(crate) fn directories(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    entries.filter(|it| it.file_name().to_string_lossy().starts_with("hype-run-")).count()
}

#[test]
fn killed_program_leaves_no_worker() {
    const TEST: &str = "worker_processes::killed_program_leaves_no_worker";
    if std::env::var_os(PROGRAM).is_some() {
        runtime().block_on(async {
            let executor = workers().await;
            staged(Guest::with_call(ENDLESS), CodeKind::Unchecked).await.run(&executor).await;
        });
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut program = program(TEST, directory.path()).spawn().unwrap();
    wait_until("the program has no worker", || {
        processes_of(program.id()).len() >= 2 && directories(directory.path()) > 0
    });
    let processes = processes_of(program.id());
    program.kill().unwrap();
    program.wait().unwrap();
    wait_until_gone(&processes);
    assert_eq!(directories(directory.path()), 0);
}

#[test]
fn dropped_executor_leaves_no_worker() {
    in_program("worker_processes::dropped_executor_leaves_no_worker", async || {
        let processes = {
            let executor = workers().await;
            assert_value(&staged(Guest::GOOD, CodeKind::Unchecked).await.run(&executor).await);
            assert!(directories(&std::env::temp_dir()) > 0);
            // A garbage collection finds the directory if the fork server is killed.
            assert!(!hype_run::guest_directories().unwrap().is_empty());
            processes_of(std::process::id())
        };
        assert!(processes.len() >= 2, "{processes:?}");
        wait_until_gone(&processes);
        assert_eq!(directories(&std::env::temp_dir()), 0);
    });
}

#[test]
fn killed_worker_leaves_no_directory() {
    in_program("worker_processes::killed_worker_leaves_no_directory", async || {
        let executor = workers().await;
        let mut endless = staged(Guest::with_call(ENDLESS), CodeKind::Unchecked).await;
        endless.manifest.job.limits.timeout_ms = Some(200);
        assert_failure(&endless.run(&executor).await, FailureKind::Deadline, "timeout");
        wait_until("a directory is left", || directories(&std::env::temp_dir()) == 0);
    });
}

#[test]
fn stopped_fork_server_delays_no_run_beyond_its_deadline() {
    in_program(
        "worker_processes::stopped_fork_server_delays_no_run_beyond_its_deadline",
        async || {
            let executor = workers().await;
            assert_value(&staged(Guest::GOOD, CodeKind::Unchecked).await.run(&executor).await);
            let server = servers_of(std::process::id())[0];
            signal(server, "-STOP");
            // Another job needs another worker.
            let other = async |timeout_ms| {
                let mut other = staged(Guest::GOOD, CodeKind::Unchecked).await;
                other.manifest.job.env.insert("A".to_owned(), "b".to_owned());
                other.manifest.job.limits.timeout_ms = timeout_ms;
                other.run(&executor).await
            };
            let started = Instant::now();
            for _ in 0..2 {
                let outcome = other(Some(300)).await;
                assert_failure(&outcome, FailureKind::Deadline, "timeout of 300ms");
            }
            assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
            let mut unloaded = staged(Guest::with_call(ENDLESS), CodeKind::Unchecked).await;
            unloaded.manifest.job.limits.timeout_ms = Some(300);
            let started = Instant::now();
            let outcome = unloaded.run(&executor).await;
            assert_failure(&outcome, FailureKind::Deadline, "not loaded within the run's timeout");
            assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
            signal(server, "-CONT");
            assert_value(&other(None).await);
            assert_eq!(servers_of(std::process::id()), [server]);
        },
    );
}

#[test]
fn failed_fork_keeps_the_fork_server() {
    in_program("worker_processes::failed_fork_keeps_the_fork_server", async || {
        let executor = workers().await;
        let good = staged(Guest::GOOD, CodeKind::Unchecked).await;
        assert_value(&good.run(&executor).await);
        let servers = servers_of(std::process::id());
        let request = good.request(true).await;
        let (prepared, call) = Prepared::fetch(&executor, &request).await.unwrap();
        let server = servers[0];
        let mut texts = String::new();
        for free in 0..8 {
            // The only worker ends, so that the call needs another one, for which there are too few descriptors.
            kill_workers(server);
            let mut files = take_all_files();
            files.truncate(files.len() - free);
            let ended = prepared.call(&call, &GuestOutput::new(|_, _| {})).await.value;
            drop(files);
            if let Err(failed) = ended {
                assert_eq!(failed.kind, FailureKind::Infrastructure, "{failed:?}");
                texts += &failure_text(&failed);
            }
        }
        // The second one is the response with the worker's descriptor.
        assert!(texts.contains("Too many open files") && texts.contains("ulimit -n"), "{texts}");
        assert_eq!(prepared.call(&call, &GuestOutput::new(|_, _| {})).await.value.unwrap(), [0xc0]);
        assert_eq!(servers_of(std::process::id()), servers);
    });
}

#[test]
fn fork_server_without_descriptors_goes_on() {
    in_program("worker_processes::fork_server_without_descriptors_goes_on", async || {
        let executor = workers().await;
        let good = staged(Guest::GOOD, CodeKind::Unchecked).await;
        assert_value(&good.run(&executor).await);
        let servers = servers_of(std::process::id());
        let server = servers[0];
        let mut texts = String::new();
        for more in 0..8 {
            kill_workers(server);
            limit_files(server, descriptors_of(server) + more);
            if let End::Failure(failed) = good.run(&executor).await.end {
                assert_eq!(failed.kind, FailureKind::Infrastructure, "{failed:?}");
                texts += &failure_text(&failed);
            }
        }
        assert!(texts.contains("Too many open files") && texts.contains("ulimit -n"), "{texts}");
        assert_value(&good.run(&executor).await);
        assert_eq!(servers_of(std::process::id()), servers);
        kill_workers(server);
        wait_until("a directory is left", || directories(&std::env::temp_dir()) == 0);
    });
}

#[test]
fn failed_restart_of_the_fork_server_is_repeated() {
    in_program("worker_processes::failed_restart_of_the_fork_server_is_repeated", async || {
        let executor = workers().await;
        let good = staged(Guest::GOOD, CodeKind::Unchecked).await;
        let request = good.request(true).await;
        let (prepared, call) = Prepared::fetch(&executor, &request).await.unwrap();
        let call = async || prepared.call(&call, &GuestOutput::new(|_, _| {})).await.value;
        assert_eq!(call().await.unwrap(), [0xc0]);
        let processes = processes_of(std::process::id());
        signal(servers_of(std::process::id())[0], "-KILL");
        wait_until_gone(&processes);
        // Three of them are for the request itself.
        let mut files = take_all_files();
        files.truncate(files.len() - 3);
        let failed = failure_text(&call().await.unwrap_err());
        drop(files);
        assert!(failed.contains("HYPE_LOCAL_WORKERS=0"), "{failed}");
        assert!(failed.contains("Too many open files"), "{failed}");
        assert_eq!(call().await.unwrap(), [0xc0]);
    });
}

#[test]
fn end_of_killed_worker_is_explained() {
    in_program("worker_processes::end_of_killed_worker_is_explained", async || {
        let executor = workers().await;
        let started = Arc::new(Semaphore::new(0));
        let endless = staged(PRINTING_ENDLESS, CodeKind::Unchecked).await;
        let request = endless.request(true).await;
        let (prepared, call) = Prepared::fetch(&executor, &request).await.unwrap();
        let output = report(&started);
        let kill = async {
            wait_for(&started, 1).await;
            kill_workers(servers_of(std::process::id())[0]);
        };
        let (execution, ()) = tokio::join!(prepared.call(&call, &output), kill);
        let failure = execution.value.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Infrastructure, "{failure:?}");
        assert!(failure_text(&failure).contains("killed by signal 9"), "{failure:?}");
    });
}

#[test]
fn dead_idle_workers_fail_no_call() {
    in_program("worker_processes::dead_idle_workers_fail_no_call", async || {
        let executor = workers().await;
        let busy = Guest { items: BUSY_ITEMS, ..Guest::with_call(BUSY) };
        let busy = staged(busy, CodeKind::Unchecked).await;
        let request = busy.request(true).await;
        let (prepared, call) = Prepared::fetch(&executor, &request).await.unwrap();
        let call = async || prepared.call(&call, &GuestOutput::new(|_, _| {})).await.value;
        // Calls at the same time leave an idle worker for each core.
        for value in join_all((0..8).map(|_| call())).await {
            assert_eq!(value.unwrap(), [0xc0]);
        }
        let processes = processes_of(std::process::id());
        signal(servers_of(std::process::id())[0], "-KILL");
        wait_until_gone(&processes);
        assert_eq!(call().await.unwrap(), [0xc0]);
    });
}

/// Kills the workers of a fork server, and waits until it has reaped them.
fn kill_workers(server: u32) {
    for worker in children(server) {
        // A worker whose call failed ends by itself.
        let mut kill = Command::new("kill");
        kill.args(["-KILL", &worker.to_string()]).stderr(Stdio::null()).status().unwrap();
    }
    wait_until("a worker has not ended", || children(server).is_empty());
}

/// Returns the number of descriptors that a process has.
fn descriptors_of(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

/// Limits the descriptors that a process can have.
fn limit_files(process: u32, most: usize) {
    let mut prlimit = Command::new("prlimit");
    prlimit.args([format!("--pid={process}"), format!("--nofile={most}:")]);
    let status = prlimit.status().unwrap();
    assert!(status.success(), "{status}");
}

/// Opens files until this process may open no more.
fn take_all_files() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}
