//! Tests with processes inside this one, whose items do what their arguments say.

mod fake;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hype_wire::{Digest, Failure, FailureKind, RunKey};

use self::fake::{CONFUSE, Fake, HOARD, KILL, KILL_ONCE, SAY, STOP_ONCE, VALUE, WAIT};
use super::*;
use crate::cleanup::background::Background;
use crate::cleanup::list::CleanupList;
use crate::environment::RunEnvironment;
use crate::error::Error;
use crate::map::items::{self, ItemEnd};
use crate::map::options::MapOptions;
use crate::map::report::recorder::Recorder;
use crate::run::handover::Handover;
use crate::run::log::Log;

/// The time after which a test fails, on a machine that is busy with other work.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A map whose items have ended.
struct Ended {
    result: Result<()>,
    items: Vec<ItemEnd>,
    recorder: Recorder,
    log: Log,
}

impl Ended {
    /// Returns the index of each item that returned its arguments.
    fn values(&self) -> Vec<u64> {
        let mut values: Vec<_> =
            self.items.iter().filter(|end| end.result.is_ok()).map(|end| end.index).collect();
        values.sort_unstable();
        values
    }

    fn error(&self, index: u64) -> &Error {
        let end = self.items.iter().find(|end| end.index == index).unwrap();
        end.result.as_ref().unwrap_err()
    }
}

/// Runs items with these arguments in two processes.
async fn run_items(fake: &Fake, env: &RunEnvironment, arguments: &[&'static [u8]]) -> Ended {
    run_with(fake, env, arguments, &MapOptions::default()).await
}

async fn run_with(
    fake: &Fake,
    env: &RunEnvironment,
    arguments: &[&'static [u8]],
    options: &MapOptions,
) -> Ended {
    let background = Background::start().unwrap();
    let (log, recorder) = (Log::silent(), Recorder::default());
    *fake.recorder.lock().unwrap() = recorder.clone();
    let attempt = Attempt {
        run_id: "hype-run-abcdefghij".into(),
        number: 1,
        function: "greet".into(),
        component: "guests.wasm".into(),
        stage_url: "gs://bucket".into(),
        manifest_url: "gs://bucket/runs/hype-run-abcdefghij/manifest".into(),
        manifest_digest: Digest::of(b"manifest"),
        manifest: None,
        unstaged: None,
        arguments: None,
        image: None,
        env: env.clone(),
        key: RunKey::new([7; 32]),
        stage_secret: None,
        disk: 0,
        log: log.clone(),
        cleanup: CleanupList::of_submitter(&background),
        handover: Handover::new(),
    };
    let (queue, mut ends) = items::queue_of(arguments, options, &recorder);
    let result = tokio::time::timeout(TIMEOUT, run(&fake, 2, &attempt, queue)).await.unwrap();
    let items = std::iter::from_fn(|| ends.try_recv().ok()).collect();
    drop(attempt);
    tokio::task::spawn_blocking(move || drop(background)).await.unwrap();
    Ended { result, items, recorder, log }
}

#[tokio::test]
async fn two_processes_run_all_items_in_chunks() {
    let fake = Fake::default();
    let ended = run_items(&fake, &RunEnvironment::new(), &[VALUE; 500]).await;
    ended.result.as_ref().unwrap();
    assert_eq!(ended.values(), (0..500).collect::<Vec<_>>());
    let chunks = fake.chunks.lock().unwrap();
    assert!(chunks.len() < 100 && chunks.iter().all(|chunk| chunk.len() <= 64), "{chunks:?}");
    assert_eq!(fake.counts(), (2, 2));
    let report = ended.recorder.report();
    assert_eq!((report.items, report.attempts, report.running.len()), (500, 500, 0));
    assert_eq!(report.timeline.workers.keys().copied().collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn one_item_starts_one_process() {
    let fake = Fake::default();
    run_items(&fake, &RunEnvironment::new(), &[VALUE]).await.result.unwrap();
    assert_eq!(fake.counts(), (1, 1));
}

#[tokio::test]
async fn items_of_lost_process_run_again() {
    let fake = Fake::default();
    let mut items = [VALUE; 100];
    items[40] = KILL_ONCE;
    let ended = run_items(&fake, &RunEnvironment::new(), &items).await;
    ended.result.as_ref().unwrap();
    assert_eq!(ended.values(), (0..100).collect::<Vec<_>>());
    let report = ended.recorder.report();
    // Only the item that ran when the process was lost has another attempt.
    assert_eq!((report.attempts, report.running.len()), (101, 0));
    let chunks = fake.chunks.lock().unwrap();
    let sent = chunks.iter().flatten().filter(|index| **index == 40).count();
    assert_eq!(sent, 2);
}

/// If the process were offered the item again and again, the test would not end.
#[tokio::test]
async fn process_that_gets_no_items_is_replaced() {
    let fake = Fake { deaf: AtomicU64::new(1), ..Fake::default() };
    let env = RunEnvironment::new().allow_http("example.com");
    let ended = run_items(&fake, &env, &[VALUE]).await;
    ended.result.as_ref().unwrap();
    // The item has not run before.
    assert_eq!((ended.values(), ended.recorder.report().attempts), (vec![0], 1));
    assert_eq!(fake.counts(), (2, 1));
}

#[tokio::test]
async fn items_behind_an_interrupted_one_have_no_attempt() {
    let fake = Fake::default();
    let options = MapOptions { batch: Some(4), ..MapOptions::default() };
    let mut items = [VALUE; 40];
    items[0] = STOP_ONCE;
    let ended = run_with(&fake, &RunEnvironment::new(), &items, &options).await;
    assert!(fake.chunks.lock().unwrap()[0].len() > 1);
    assert_eq!((ended.values().len(), ended.recorder.report().attempts), (40, 41));
}

#[tokio::test]
async fn item_that_may_have_had_effects_is_lost_with_its_process() {
    let (fake, env) = (Fake::default(), RunEnvironment::new().allow_http("example.com"));
    let ended = run_items(&fake, &env, &[VALUE, VALUE, VALUE, KILL_ONCE, VALUE, VALUE]).await;
    ended.result.as_ref().unwrap();
    assert_eq!(ended.values(), [0, 1, 2, 4, 5]);
    assert!(ended.error(3).is_lost(), "{:?}", ended.error(3));
    // No item runs twice.
    let mut sent: Vec<_> = fake.chunks.lock().unwrap().iter().flatten().copied().collect();
    sent.sort_unstable();
    assert_eq!(sent, [0, 1, 2, 3, 4, 5]);
    assert!(fake.chunks.lock().unwrap().iter().all(|chunk| chunk.len() == 1));
}

/// Its retries take some seconds.
#[tokio::test]
async fn item_that_kills_each_process_fails_alone() {
    let fake = Fake::default();
    let ended = run_items(&fake, &RunEnvironment::new(), &[VALUE, KILL, VALUE, VALUE]).await;
    ended.result.as_ref().unwrap();
    assert_eq!(ended.values(), [0, 2, 3]);
    let failure = ended.error(1).failure().unwrap();
    assert_eq!(failure.kind, FailureKind::Infrastructure);
    assert!(failure.message.contains("the process was killed"), "{failure:?}");
    assert_eq!(fake.chunks.lock().unwrap().iter().flatten().filter(|it| **it == 1).count(), 4);
}

/// Its retries take some seconds, as those of one item, whatever the number of items.
#[tokio::test]
async fn map_ends_if_all_its_items_kill_their_processes() {
    let fake = Fake::default();
    let started = std::time::Instant::now();
    let ended = run_items(&fake, &RunEnvironment::new(), &[KILL; 1000]).await;
    let report = ended.result.unwrap_err().report();
    assert!(report.starts_with("no item of the map could run: "), "{report}");
    assert!(report.contains("the process was killed"), "{report}");
    // The item that has no retries left fails, and the others have no ends.
    assert_eq!(ended.items.len(), 1);
    assert!(ended.items[0].result.is_err());
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[tokio::test]
async fn map_with_effects_ends_if_all_its_items_are_lost() {
    let (fake, env) = (Fake::default(), RunEnvironment::new().allow_http("example.com"));
    let ended = run_items(&fake, &env, &[KILL; 1000]).await;
    ended.result.unwrap_err();
    // Each of them may have run.
    assert_eq!(ended.items.len(), 8);
    assert!(ended.items.iter().all(|end| end.result.as_ref().unwrap_err().is_lost()));
}

#[tokio::test]
async fn item_gets_more_memory_in_the_same_process() {
    let fake = Fake::default();
    let mut options = MapOptions::default();
    options.retries.max_memory = Some(200);
    let env = RunEnvironment::new().with_memory(100);
    let ended = run_with(&fake, &env, &[HOARD], &options).await;
    assert_eq!((ended.values(), ended.recorder.report().attempts), (vec![0], 2));
    assert_eq!(fake.counts(), (1, 1));
}

#[tokio::test]
async fn item_runs_again_before_the_items_that_wait_have_ended() {
    let fake = Fake::default();
    let mut options = MapOptions::default();
    options.retries.max_memory = Some(200);
    let mut items = vec![VALUE; 1000];
    items[10] = HOARD;
    let ended = run_with(&fake, &RunEnvironment::new().with_memory(100), &items, &options).await;
    assert_eq!((ended.values().len(), ended.recorder.report().attempts), (1000, 1001));
    let chunks = fake.chunks.lock().unwrap();
    let again = chunks.iter().flatten().skip(11).position(|index| *index == 10);
    assert!(again.is_some_and(|position| position < 500), "{again:?}");
}

#[tokio::test]
async fn output_has_the_index_of_its_item() {
    let fake = Fake::default();
    let ended = run_items(&fake, &RunEnvironment::new(), &[VALUE, SAY, VALUE]).await;
    ended.result.as_ref().unwrap();
    assert_eq!(ended.log.last(9), ["[1] hello"]);
}

#[tokio::test]
async fn map_without_a_process_ends_with_the_error_of_the_start() {
    let fake = Fake::default();
    let missing = ItemMessage::Unprepared(Failure::new(FailureKind::Missing, "no component"));
    for (start, expected) in [
        (Err(Error::runner("cannot start a process", "no image")), "cannot start a process"),
        (Ok(missing), "no component"),
        (
            Ok(ItemMessage::Output { is_error: false, bytes: Vec::new().into() }),
            "unexpected message",
        ),
    ] {
        fake.starts.lock().unwrap().push_back(start);
        let ended = run_items(&fake, &RunEnvironment::new(), &[VALUE]).await;
        let report = ended.result.unwrap_err().report();
        assert!(report.contains(expected), "{report}");
        assert_eq!(ended.items.len(), 0);
    }
}

/// Its pauses between starts take some seconds.
#[tokio::test]
async fn worker_without_a_process_doesnt_end_the_items_of_others() {
    let fake = Fake::default();
    let mut starts = VecDeque::from([Ok(ItemMessage::Ready)]);
    starts.extend((0..4).map(|_| Err(Error::runner("cannot start a process", "no room"))));
    *fake.starts.lock().unwrap() = starts;
    let ended = run_items(&fake, &RunEnvironment::new(), &[WAIT, VALUE]).await;
    ended.result.as_ref().unwrap();
    assert_eq!((ended.values(), fake.counts()), (vec![0, 1], (5, 1)));
}

#[tokio::test]
async fn start_after_the_first_is_repeated() {
    let fake = Fake::default();
    let error = || Err(Error::runner("cannot start a process", "try again"));
    *fake.starts.lock().unwrap() = [Ok(ItemMessage::Ready), error(), Ok(ItemMessage::Ready)].into();
    let ended = run_items(&fake, &RunEnvironment::new(), &[KILL_ONCE]).await;
    ended.result.as_ref().unwrap();
    assert_eq!((ended.values(), fake.started.load(Ordering::Relaxed)), (vec![0], 3));
}

#[tokio::test]
async fn process_that_reports_another_item_is_lost() {
    let (fake, env) = (Fake::default(), RunEnvironment::new().allow_http("example.com"));
    let ended = run_items(&fake, &env, &[VALUE, CONFUSE]).await;
    ended.result.as_ref().unwrap();
    assert!(ended.error(1).is_lost(), "{:?}", ended.error(1));
    assert!(ended.error(1).report().contains("unexpected message"), "{:?}", ended.error(1));
}
