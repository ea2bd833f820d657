//! Guests that block all threads of their runtime delay neither the process's own I/O nor a guest that needs no thread.

use std::sync::mpsc;
use std::time::Duration;

use hostile::{Guest, Staged};
use hype_run::{Cache, Executor};
use hype_wire::End;
use tokio::runtime::Builder;

/// The time in which a run of a good guest ends on a loaded machine, its compilation included.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn run_ends_while_all_blocking_threads_are_taken() {
    let runtime = Builder::new_multi_thread().max_blocking_threads(2).enable_all().build().unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Arc::new(std::sync::Mutex::new(blocked));
    for _ in 0..2 {
        let blocked = blocked.clone();
        // An error, since `release` was dropped, ends the thread.
        runtime.spawn_blocking(move || blocked.lock().unwrap().recv().is_err());
    }
    let cache = tempfile::tempdir().unwrap();
    let executor = Executor::new().with_cache(Cache::in_directory(cache.path()));
    let outcome = runtime.block_on(async {
        let run = async {
            // A large component is read and hashed on other threads.
            let data = "x".repeat(9 << 20);
            let items = format!(r#"(data (i32.const 65536) "{data}")"#).leak();
            let guest = Guest { memory: "200", items, ..Guest::GOOD };
            Staged::new(&guest.component()).await.run(&executor).await
        };
        tokio::time::timeout(LONG, run).await
    });
    drop(release);
    let outcome = outcome.expect("the run waits for a thread");
    assert!(matches!(outcome.end, End::Value(_)), "{:?}", outcome.end);
}
