//! A package whose tests and doctests make calls, which must run in worker processes.
//!
//! This doctest is a program of its own:
//!
//! ```standalone_crate
//! starts::assert_worker();
//! ```

/// Makes a call. This doctest shares a program with others:
///
/// ```
/// starts::assert_worker();
/// ```
///
/// # Panics
///
/// Panics if the call doesn't run in a worker process.
pub fn assert_worker() {
    assert_eq!(hostile::start::place_of_a_call(), "worker");
}

#[cfg(test)]
mod tests {
    #[test]
    fn unit_test_has_workers() {
        super::assert_worker();
    }
}
