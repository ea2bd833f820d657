use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn thing(order: &Arc<Mutex<Vec<u32>>>, number: u32) -> impl Future<Output = Result<()>> + use<> {
    let order = Arc::clone(order);
    async move {
        tokio::task::yield_now().await;
        order.lock().unwrap().push(number);
        Ok(())
    }
}

#[test]
fn the_last_handle_removes_all_the_newest_first() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let background = Background::start().unwrap();
    let owned = Owned::of_submitter(&background);
    owned.enter("one", thing(&order, 1));
    let other = owned.clone();
    other.enter("two", thing(&order, 2));
    drop(owned);
    assert!(order.lock().unwrap().is_empty());
    drop(other);
    drop(background);
    assert_eq!(*order.lock().unwrap(), [2, 1]);
}

#[test]
fn what_must_go_first_goes_before_what_is_newer() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let background = Background::start().unwrap();
    let owned = Owned::of_submitter(&background);
    owned.enter_first("first", thing(&order, 1));
    owned.enter("older", thing(&order, 3));
    owned.enter("newer", thing(&order, 2));
    drop(owned);
    drop(background);
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn it_works_inside_a_runtime_too() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let background = Background::start().unwrap();
    let owned = Owned::of_submitter(&background);
    owned.enter("one", thing(&order, 1));
    drop(owned);
    drop(background);
    assert_eq!(*order.lock().unwrap(), [1]);
}

#[test]
fn what_runs_may_use_goes_after_all_that_is_theirs() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let background = Background::start().unwrap();
    let submitter = Owned::of_submitter(&background);
    let run = submitter.of_run();
    submitter.enter("volume", thing(&order, 1));
    for number in 2..10 {
        run.enter("of the run", thing(&order, number));
    }
    drop(submitter);
    drop(run);
    drop(background);
    assert_eq!(*order.lock().unwrap(), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
}

#[cfg(any(feature = "docker", feature = "kubernetes"))]
#[test]
fn what_is_removed_beside_a_run_goes_before_what_is_the_submitters() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let background = Background::start().unwrap();
    let submitter = Owned::of_submitter(&background);
    let run = submitter.of_run();
    submitter.enter("volume", thing(&order, 3));
    run.enter("objects", thing(&order, 1));
    let (beside, slow) = (run.beside(), Arc::clone(&order));
    run.enter("container", async move {
        let removal = async move {
            while slow.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            thing(&slow, 2).await
        };
        beside.remove("container".into(), Box::pin(removal));
        Ok(())
    });
    drop(submitter);
    drop(run);
    drop(background);
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn one_failure_stops_no_other_removal() {
    let removed = Arc::new(AtomicUsize::new(0));
    let background = Background::start().unwrap();
    let owned = Owned::of_submitter(&background);
    for number in 0..3 {
        let removed = Arc::clone(&removed);
        owned.enter(format!("thing {number}"), async move {
            removed.fetch_add(1, Ordering::Relaxed);
            if number == 1 { Err(Error::input("it is stuck")) } else { Ok(()) }
        });
    }
    let error = owned.remove().await.unwrap_err();
    assert_eq!(error.report(), "it is stuck\nHint: left behind: thing 1");
    assert_eq!(removed.load(Ordering::Relaxed), 3);
}
