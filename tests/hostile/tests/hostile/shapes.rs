//! Each shape of a hostile guest ends with a failure of its own kind, and the executor goes on.

use hostile::assert_all;
use hostile::shapes::{
    components, failures, memory, output, resources, results, stack, traps, waiting,
};

#[test]
fn traps_are_traps() {
    assert_all(traps::shapes());
}

#[test]
fn stacks_end() {
    assert_all(stack::shapes());
}

#[test]
fn memory_ends() {
    assert_all(memory::shapes());
}

#[test]
fn tables_instances_and_handles_end() {
    assert_all(resources::shapes());
}

#[test]
fn results_that_lie_are_refused() {
    assert_all(results::shapes());
}

#[test]
fn failures_are_cut() {
    assert_all(failures::shapes());
}

#[test]
fn writes_are_bounded() {
    assert_all(output::shapes());
}

#[test]
fn waiting_ends() {
    assert_all(waiting::shapes());
}

#[test]
fn components_that_are_none_are_incompatible() {
    assert_all(components::shapes());
}
