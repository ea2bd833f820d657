//! The processor time of a call.

use std::pin::pin;
use std::time::Duration;

/// Runs `future`, and returns its output with the processor time that its polls took. The time is zero where the system
/// doesn't tell that of a thread.
pub(crate) async fn measure<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let mut future = pin!(future);
    let mut used = Duration::ZERO;
    let output = std::future::poll_fn(|context| {
        let before = of_thread();
        let polled = future.as_mut().poll(context);
        used += of_thread().saturating_sub(before);
        polled
    })
    .await;
    (output, used)
}

/// Returns the processor time that this thread has used.
#[cfg(unix)]
pub(crate) fn of_thread() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().unwrap_or_default()
}

#[cfg(not(unix))]
fn of_thread() -> Duration {
    Duration::ZERO
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_computing_takes_processor_time() {
        let wait = tokio::time::sleep(Duration::from_millis(50));
        assert!(measure(wait).await.1 < Duration::from_millis(40));
        let compute = async {
            for _ in 0..2 {
                let until = of_thread() + Duration::from_millis(10);
                while of_thread() < until {}
                tokio::task::yield_now().await;
            }
        };
        assert!(measure(compute).await.1 >= Duration::from_millis(20));
    }
}
