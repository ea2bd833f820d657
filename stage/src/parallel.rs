//! Blocking work on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

/// The maximum number of helper threads of this process. More would wait for the memory or the disk.
const MAX_HELPERS: usize = 15;

/// The number of helper threads that this process has now.
static HELPERS: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` for each number below `count` on all cores, and returns the results in the order of the numbers. Returns
/// when each thread has ended, after an error too.
///
/// The caller's thread works, too. All concurrent calls of a process share its helper threads, one for each further core,
/// so that many calls start no more threads than one call.
///
/// ```
/// let squares = hype_stage::on_all_cores(3, |number| Ok::<_, ()>(number * number));
/// assert_eq!(squares, Ok(vec![0, 1, 4]));
/// ```
///
/// # Errors
///
/// Returns an error of `work`. No further number is begun after it.
///
/// # Panics
///
/// When `work` panics.
pub fn on_all_cores<T: Send, E: Send>(
    count: usize,
    work: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(done);
            }
            match work(number) {
                Ok(result) => done.push((number, result)),
                Err(error) => {
                    next.store(count, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    };
    let helpers = match count {
        0 | 1 => 0,
        _ => (available_parallelism().map_or(1, usize::from) - 1).min(MAX_HELPERS),
    };
    let mut results = scope(|scope| {
        // This thread works, too, and does everything if no other thread can be started.
        let help = |_| {
            let helper = Helper::new(helpers)?;
            let help = move || {
                let _helper = helper;
                work()
            };
            Builder::new().spawn_scoped(scope, help).ok()
        };
        let others: Vec<_> = (1..count.min(helpers + 1)).map_while(help).collect();
        let mut all = work()?;
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(all)
    })?;
    results.sort_unstable_by_key(|(number, _)| *number);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// A helper thread, counted until it is dropped.
struct Helper;

impl Helper {
    /// Returns a helper unless this process has `max`.
    fn new(max: usize) -> Option<Self> {
        let one_more = |helpers| (helpers < max).then_some(helpers + 1);
        HELPERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        HELPERS.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order() {
        let numbers: Vec<_> = (0..1000).collect();
        assert_eq!(on_all_cores(numbers.len(), Ok::<_, ()>), Ok(numbers));
        assert_eq!(on_all_cores(0, Ok::<_, ()>), Ok(Vec::new()));
    }

    #[test]
    fn error_ends_the_work() {
        let fail_at_third = |number| if number == 3 { Err(number) } else { Ok(()) };
        assert_eq!(on_all_cores(1 << 40, fail_at_third), Err(3));
    }

    #[test]
    fn concurrent_calls_share_the_helpers() {
        let most = AtomicUsize::new(0);
        let observe = |_| {
            most.fetch_max(HELPERS.load(Ordering::Relaxed), Ordering::Relaxed);
            Ok::<_, ()>(())
        };
        scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| on_all_cores(1000, observe));
            }
        });
        assert!(most.into_inner() < available_parallelism().unwrap().get());
    }
}
