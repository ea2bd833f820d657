//! A test program whose `main` is that of the test harness.

#[test]
fn first_test_has_workers() {
    starts::assert_worker();
}

#[test]
fn concurrent_test_has_workers() {
    starts::assert_worker();
}
