//! An executor that parks its thread while its future waits.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// Wakes a thread that polls a future.
struct Unparker {
    thread: Thread,
    /// Whether the future must be polled again. A nested call parks the same thread and may consume its token.
    is_woken: AtomicBool,
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Polls `future` on this thread until it ends. The future may itself call this function: an iterator of closures that
/// is the input of a map may wait for the results of another one.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let unparker =
        Arc::new(Unparker { thread: std::thread::current(), is_woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&unparker));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        while !unparker.is_woken.swap(false, Ordering::Acquire) {
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::sync::oneshot;

    use super::*;

    /// Waits until another thread has woken this future.
    async fn woken_by_thread() {
        let (sender, mut receiver) = oneshot::channel();
        let (mut sender, mut thread) = (Some(sender), None);
        poll_fn(|context| {
            let received = pin!(&mut receiver).poll(context);
            if let Some(sender) = sender.take() {
                thread = Some(std::thread::spawn(move || sender.send(())));
            }
            received
        })
        .await
        .unwrap();
        thread.unwrap().join().unwrap().unwrap();
    }

    #[test]
    fn call_inside_another_executor_waits() {
        block_on(woken_by_thread());
        futures::executor::block_on(async { block_on(woken_by_thread()) });
    }

    #[test]
    fn nested_call_leaves_the_wakeup_of_the_outer_one() {
        let mut is_first = true;
        block_on(poll_fn(|context| {
            if !std::mem::take(&mut is_first) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            block_on(woken_by_thread());
            Poll::Pending
        }));
    }
}
