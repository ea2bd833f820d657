//! Blocking work on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, available_parallelism, scope};

/// The maximum number of threads. More would wait for the memory or the disk.
const MAX_THREADS: usize = 16;

/// Runs `work` for each number below `count` on all cores, and returns the results in the order of the numbers. Returns
/// when each thread has ended, after an error too.
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
    let threads = match count {
        0 | 1 => 1,
        _ => available_parallelism().map_or(1, usize::from).min(count).min(MAX_THREADS),
    };
    let mut results = scope(|scope| {
        // This thread works, too, and does everything if the system starts no other thread.
        let others: Vec<_> =
            (1..threads).filter_map(|_| Builder::new().spawn_scoped(scope, work).ok()).collect();
        let mut all = work()?;
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(all)
    })?;
    results.sort_unstable_by_key(|(number, _)| *number);
    Ok(results.into_iter().map(|(_, result)| result).collect())
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
}
