//! A component that takes too long to compile ends its run, and only its run.

use conformance::alone::alone;
use hostile::shape::executor;
use hostile::shapes::components::{SOON, slow};
use hostile::{Guest, Shape, assert_all};
use hype_wire::FailureKind;

/// In a process of its own, since nothing can stop a compiler before its end.
#[test]
fn a_run_waits_for_the_compiler_no_longer_than_it_may() {
    let test = "compiling::a_run_waits_for_the_compiler_no_longer_than_it_may";
    alone(test, wait_for_the_compiler);
}

fn wait_for_the_compiler() {
    // Good guests are ready from here on.
    assert_all(vec![Shape::in_vain("a good guest", Guest::GOOD)]);
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    for busy in 1..=cores {
        assert_all(vec![slow()]);
        assert_being_compiled(busy);
    }
    // No more than that is compiled at once, whatever else waits.
    let guest = Guest { items: "(global i32 (i32.const 7))", ..Guest::GOOD };
    let words = "compiling hostile.wasm took longer";
    let waiting = Shape::new("one more", guest, FailureKind::Deadline, words);
    assert_all(vec![waiting.within(SOON)]);
    assert_being_compiled(cores);
}

#[track_caller]
fn assert_being_compiled(count: usize) {
    let told = format!("{:?}", executor());
    assert!(told.contains(&format!(" {count} being compiled")), "{told}");
}
