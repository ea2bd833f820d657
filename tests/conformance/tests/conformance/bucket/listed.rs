//! Lists of runs in a bucket: their requests depend on the live runs alone.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use hype::Submitter;
use hype::run::RunScope;
use hype_wire::{Lease, LiveRun, names};
use test_storage_server::Operation;

use super::{BUCKET, in_process, server};

const ENDED: usize = 10_000;
const LIVE: usize = 5;

/// The beginning of the ids of live runs.
const LIVE_RUN: &str = "hype-run-live";

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the test below sets"]
fn live_runs_are_listed() {
    let submitter = Submitter::local_with(&format!("gs://{BUCKET}/some/prefix")).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let begun = Instant::now();
        let runs: Vec<_> = submitter.runs(RunScope::Live).map(Result::unwrap).collect().await;
        // Other programs of this user may have runs, which are listed by their sockets.
        let staged = runs.iter().filter(|run| run.id.starts_with(LIVE_RUN)).count();
        assert_eq!(staged, LIVE, "{runs:?}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    });
}

#[test]
fn requests_of_a_list_depend_on_live_runs_alone() {
    let server = server();
    let put = |name: String, bytes: Vec<u8>| {
        server.put_object(BUCKET, &format!("some/prefix/{name}"), Bytes::from(bytes));
    };
    for number in 0..ENDED {
        put(names::outcome(&format!("hype-run-ended{number}")), vec![1]);
    }
    // Guests may be built first.
    let term = Duration::from_secs(3600);
    for number in 0..LIVE {
        let id = format!("{LIVE_RUN}{number}");
        let run_id: hype_wire::RunId = id.parse().unwrap();
        let entry = LiveRun::new(run_id.clone(), "train", "models.wasm");
        let lease = Lease::new(run_id, "train", "owner", term);
        put(names::live(&id), entry.to_bytes().unwrap());
        put(names::lease(&id), lease.to_bytes().unwrap());
        put(names::manifest(&id), vec![1]);
    }
    in_process("listed::live_runs_are_listed", &server);
    let mut requests = server.requests();
    requests.retain(|it| it.object.contains(LIVE_RUN) || !it.object.contains("hype-run-"));
    let count = |operation| requests.iter().filter(|it| it.operation == operation).count();
    // The index; the clock; of each run its entry, lease, outcome, and whether it is staged.
    let operations = [Operation::List, Operation::Write, Operation::Read, Operation::Head];
    assert_eq!(operations.map(count), [1, 1, 3 * LIVE, LIVE + 1], "{requests:?}");
    assert_eq!(requests.len(), 2 + 3 * LIVE + LIVE + 1);
}
