//! Each attack of a guest ends with the expected failure, and the executor still runs good guests.

use hostile::assert_all;
use hostile::attacks::{
    components, failures, memory, output, resources, results, stack, traps, waiting,
};

#[test]
fn traps_fail_with_the_kind_trap() {
    assert_all(traps::attacks());
}

#[test]
fn stack_is_limited() {
    assert_all(stack::attacks());
}

#[test]
fn memory_is_limited() {
    assert_all(memory::attacks());
}

#[test]
fn tables_instances_and_handles_are_limited() {
    assert_all(resources::attacks());
}

#[test]
fn invalid_results_are_rejected() {
    assert_all(results::attacks());
}

#[test]
fn long_failures_are_truncated() {
    assert_all(failures::attacks());
}

#[test]
fn writes_are_limited() {
    assert_all(output::attacks());
}

#[test]
fn waiting_ends_at_the_deadline() {
    assert_all(waiting::attacks());
}

#[test]
fn invalid_components_are_incompatible() {
    assert_all(components::attacks());
}
