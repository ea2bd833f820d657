use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Returns a removal that records its number in `order`.
fn removal(order: &Arc<Mutex<Vec<u32>>>, number: u32) -> impl Future<Output = Result<()>> + use<> {
    let order = Arc::clone(order);
    async move {
        tokio::task::yield_now().await;
        order.lock().unwrap().push(number);
        Ok(())
    }
}

#[test]
fn last_handle_removes_all_newest_first() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let background = Background::start().unwrap();
    let cleanup = CleanupList::of_submitter(&background);
    cleanup.register("one", removal(&order, 1));
    let other = cleanup.clone();
    other.register("two", removal(&order, 2));
    drop(cleanup);
    assert!(order.lock().unwrap().is_empty());
    drop(other);
    drop(background);
    assert_eq!(*order.lock().unwrap(), [2, 1]);
}

#[test]
fn first_removals_run_before_newer_ones() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let background = Background::start().unwrap();
    let cleanup = CleanupList::of_submitter(&background);
    cleanup.register_first("first", removal(&order, 1));
    cleanup.register("older", removal(&order, 3));
    cleanup.register("newer", removal(&order, 2));
    drop(cleanup);
    drop(background);
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn removals_run_when_dropped_inside_a_runtime() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let background = Background::start().unwrap();
    let cleanup = CleanupList::of_submitter(&background);
    cleanup.register("one", removal(&order, 1));
    drop(cleanup);
    drop(background);
    assert_eq!(*order.lock().unwrap(), [1]);
}

#[test]
fn submitter_resources_are_removed_last() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let background = Background::start().unwrap();
    let submitter = CleanupList::of_submitter(&background);
    let run = submitter.of_run();
    submitter.register("volume", removal(&order, 1));
    for number in 2..10 {
        run.register("of the run", removal(&order, number));
    }
    drop(submitter);
    drop(run);
    drop(background);
    assert_eq!(*order.lock().unwrap(), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
}

#[cfg(any(feature = "docker", feature = "kubernetes"))]
#[test]
fn background_removals_end_before_submitter_removals() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let background = Background::start().unwrap();
    let submitter = CleanupList::of_submitter(&background);
    let run = submitter.of_run();
    submitter.register("volume", removal(&order, 3));
    run.register("objects", removal(&order, 1));
    let (background_cleanup, slow) = (run.background_cleanup(), Arc::clone(&order));
    run.register("container", async move {
        let slow_removal = async move {
            while slow.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            removal(&slow, 2).await
        };
        background_cleanup.remove("container".into(), Box::pin(slow_removal));
        Ok(())
    });
    drop(submitter);
    drop(run);
    drop(background);
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn failed_removal_does_not_stop_others() {
    let removed = Arc::new(AtomicUsize::new(0));
    let background = Background::start().unwrap();
    let cleanup = CleanupList::of_submitter(&background);
    for number in 0..3 {
        let removed = Arc::clone(&removed);
        cleanup.register(format!("volume {number}"), async move {
            removed.fetch_add(1, Ordering::Relaxed);
            if number == 1 { Err(Error::input("it is stuck")) } else { Ok(()) }
        });
    }
    let error = cleanup.remove().await.unwrap_err();
    assert_eq!(error.report(), "it is stuck\nHint: left behind: volume 1");

    assert_eq!(removed.load(Ordering::Relaxed), 3);
}
