//! Campaigns: workers, fork servers and programs that are killed at random moments, and runs that are cancelled. Each run
//! ends once, and nothing remains.
//!
//! `HYPE_CAMPAIGN_ROUNDS` sets the number of rounds (few by default); `HYPE_CAMPAIGN_SEED` repeats the moments of a campaign:
//!
//! ```sh
//! HYPE_CAMPAIGN_ROUNDS=1000 cargo test -p hostile worker_kills -- --nocapture
//! ```

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hostile::attack::runtime;
use hostile::calls::{STDOUT, WRITE_AND_FLUSH};
use hostile::staged::failure_text;
use hostile::{Guest, Staged};
use hype_run::{CodeKind, Executor, GuestOutput, RunRequest};
use hype_wire::{End, FailureKind, Outcome, Payload};

use crate::worker_processes::{
    PROGRAM, children, directories, in_program, is_running, processes, processes_of, program,
    servers_of, wait_until,
};
use crate::workers::{staged, workers};

/// A guest that prints a line, computes some milliseconds, and returns nil.
const PRINTING_BUSY: Guest = Guest {
    calls: &[STDOUT, WRITE_AND_FLUSH],
    items: r#"(data (i32.const 96) "go\0a") (global $count (mut i32) (i32.const 0))"#,
    ..Guest::with_call(
        "(call $write-and-flush (call $stdout) (i32.const 96) (i32.const 3) (i32.const 80))
         (loop $again
             (global.set $count (i32.add (global.get $count) (i32.const 1)))
             (br_if $again (i32.lt_u (global.get $count) (i32.const 20000000))))
         (call $nil)",
    )
};

/// The variable of the loader that marks a program and the processes that it starts. Its value names no library.
const MARK: &str = "LD_HYPE_TEST";

/// The number of concurrent runs of a round.
const RUNS: usize = 3;

/// The longest time before a kill. It covers the start of a worker and a call.
const LATEST: Duration = Duration::from_millis(60);

fn rounds(default: usize) -> usize {
    std::env::var("HYPE_CAMPAIGN_ROUNDS").map_or(default, |rounds| rounds.parse().unwrap())
}

/// A pseudo-random number generator (SplitMix64).
struct Random(u64);

impl Random {
    /// Creates a generator from the seed in the variable, or else from a new seed, which is printed.
    fn new() -> Self {
        const SEED: &str = "HYPE_CAMPAIGN_SEED";
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let seed = std::env::var(SEED).map_or_else(|_| now(), |seed| seed.parse().unwrap());
        eprintln!("{SEED}={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn moment(&mut self, latest: Duration) -> Duration {
        Duration::from_micros(self.below(latest.as_micros() as u64))
    }
}

/// The action of a round at a random moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    KillWorker,
    KillServer,
    Cancel,
}

impl Action {
    fn of_round(round: usize) -> Self {
        [Self::KillWorker, Self::KillServer, Self::KillWorker, Self::Cancel][round % 4]
    }

    fn take(self, requests: &[RunRequest], random: &mut Random) {
        let server = servers_of(std::process::id()).first().copied();
        match self {
            Self::Cancel => requests[0].interrupt.cancel(),
            Self::KillServer => server.into_iter().for_each(kill),
            Self::KillWorker => {
                let workers = server.map(children).unwrap_or_default();
                if !workers.is_empty() {
                    kill(workers[random.below(workers.len() as u64) as usize]);
                }
            }
        }
    }
}

/// Kills a process, which may have ended.
fn kill(process: u32) {
    let mut kill = Command::new("kill");
    kill.args(["-KILL", &process.to_string()]).stderr(Stdio::null()).status().unwrap();
}

/// Returns the end of a run of [`PRINTING_BUSY`], which has printed `starts` times.
///
/// # Panics
///
/// Panics if the run can't have ended like this after `action`.
fn check_end(action: Action, outcome: &Outcome, starts: usize) -> String {
    assert!(starts <= 1, "{starts} calls of one run: {outcome:?}");
    match &outcome.end {
        End::Value(Payload::Inline(bytes)) if bytes[..] == [0xc0] => {
            assert_eq!(starts, 1, "a value without a call");
            "value".to_owned()
        }
        End::Failure(failure) => {
            let expected = match action {
                Action::Cancel => FailureKind::Interrupted,
                Action::KillWorker | Action::KillServer => FailureKind::Infrastructure,
            };
            assert_eq!(failure.kind, expected, "{action:?}: {}", failure_text(failure));
            failure.kind.as_str().to_owned()
        }
        end @ End::Value(_) => panic!("{end:?}"),
    }
}

/// Runs the guest with an executor, and returns its outcome and the number of times that it was entered.
async fn run(executor: &Executor, request: &RunRequest) -> (Outcome, usize) {
    let starts = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&starts);
    let output = GuestOutput::new(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let run = hype_run::run(executor, request, output);
    let finished = tokio::time::timeout(Duration::from_secs(120), run).await.unwrap().unwrap();
    (finished.outcome, starts.load(Ordering::Relaxed))
}

/// Stages runs of one guest, which is compiled once.
async fn staged_runs(first: &Staged, component: &[u8], code: &[u8]) -> Vec<(Staged, RunRequest)> {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let mut staged = Staged::new(component).await;
        staged.put(code).await;
        staged.manifest.job.artefact = first.manifest.job.artefact.clone();
        let request = staged.request(true).await;
        runs.push((staged, request));
    }
    runs
}

/// Returns the time at which a process started. A later process may have the same number.
fn start_of(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19).map(str::to_owned)
}

/// Returns the processes of this program, with the times at which they started.
fn identities() -> Vec<(u32, String)> {
    let processes = processes_of(std::process::id()).into_iter();
    processes.filter_map(|pid| Some((pid, start_of(pid)?))).collect()
}

/// Returns the number of descriptors of this process.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn runs_with_killed_workers_end_once() {
    in_program("worker_kills::runs_with_killed_workers_end_once", async || {
        let component = PRINTING_BUSY.component();
        let first = staged(PRINTING_BUSY, CodeKind::Unchecked).await;
        let code = first.artefact().await;
        // Descriptors of the runtime are opened once.
        drop(workers().await);
        let before = descriptors();
        let (mut random, mut ends) = (Random::new(), BTreeMap::new());
        let mut seen = BTreeSet::new();
        let executor = workers().await;
        for round in 0..rounds(16) {
            let action = Action::of_round(round);
            let runs = staged_runs(&first, &component, &code).await;
            let requests: Vec<_> = runs.iter().map(|(_, request)| request.clone()).collect();
            let disturb = async {
                tokio::time::sleep(random.moment(LATEST)).await;
                seen.extend(identities());
                action.take(&requests, &mut random);
            };
            let all = requests.iter().map(|request| run(&executor, request));
            let (outcomes, ()) = tokio::join!(futures::future::join_all(all), disturb);
            for (outcome, starts) in outcomes {
                let end = check_end(action, &outcome, starts);
                *ends.entry((action, end)).or_insert(0) += 1;
            }
        }
        eprintln!("{ends:?}");
        seen.extend(identities());
        drop(executor);
        let is_left = |(pid, start): &(u32, String)| {
            is_running(*pid) && start_of(*pid).as_ref() == Some(start)
        };
        wait_until("a process is left", || !seen.iter().any(is_left));
        let temporary = std::env::temp_dir();
        wait_until("a directory is left", || directories(&temporary) == 0);
        wait_until("a descriptor is left", || descriptors() <= before);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(!maps.contains("memfd:"), "{maps}");
    });
}

/// Returns the running processes whose environment has the mark.
fn marked(mark: &str) -> Vec<u32> {
    let entry = format!("{MARK}={mark}");
    let is_marked = |pid: &u32| {
        let variables = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        is_running(*pid) && variables.split(|byte| *byte == 0).any(|it| it == entry.as_bytes())
    };
    processes().filter(is_marked).collect()
}

#[test]
fn programs_killed_at_random_moments_leave_nothing() {
    const TEST: &str = "worker_kills::programs_killed_at_random_moments_leave_nothing";
    if std::env::var_os(PROGRAM).is_some() {
        runtime().block_on(async {
            let executor = workers().await;
            let busy = staged(PRINTING_BUSY, CodeKind::Unchecked).await;
            loop {
                let requests = [busy.request(true).await, busy.request(true).await];
                let (prepared, call) =
                    hype_run::Prepared::fetch(&executor, &requests[0]).await.unwrap();
                let output = GuestOutput::new(|_, _| {});
                tokio::join!(prepared.call(&call, &output), prepared.call(&call, &output));
            }
        });
        return;
    }
    let mut random = Random::new();
    for _ in 0..rounds(3) {
        let directory = tempfile::tempdir().unwrap();
        let mark = directory.path().to_str().unwrap();
        let mut program = program(TEST, directory.path());
        program.env(MARK, mark).stderr(Stdio::null());
        let mut program = program.spawn().unwrap();
        std::thread::sleep(random.moment(Duration::from_millis(800)));
        program.kill().unwrap();
        program.wait().unwrap();
        wait_until("a process is left", || marked(mark).is_empty());
        assert_eq!(directories(directory.path()), 0);
    }
}
