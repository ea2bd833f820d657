//! Requests that fail by the dozen: every submit gives its value nevertheless.

use futures::{StreamExt, stream};
use hype::RunEnvironment;
use test_guests::values::reverse;
use test_storage_server::{Fault, Operation, Refusal, Rule};

use super::{in_process, server, submit};

const SUBMITS: usize = 200;

/// Most travel along with manifest and outcome, some are objects of their own, and a few of those
/// go in parts.
fn size(number: usize) -> usize {
    match number {
        _ if number % 50 == 49 => (8 << 20) + number,
        _ if number % 5 == 4 => 100_000 + number,
        _ => 100 * number,
    }
}

/// Bytes that no other number has.
fn bytes(number: usize) -> Vec<u8> {
    let mut state = number as u64 | 1 << 32;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(size(number)).collect()
}

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the test below sets"]
fn two_hundred_submits() {
    submit(|submitter| async move {
        let env = RunEnvironment::new();
        let submits = stream::iter(0..SUBMITS).map(|number| {
            let value = submitter.submit(reverse(bytes(number)), &env);
            async move { (number, value.await) }
        });
        let mut submits = submits.buffer_unordered(16);
        while let Some((number, value)) = submits.next().await {
            let mut value = value.unwrap();
            value.reverse();
            assert!(value == bytes(number), "the value of {number} is another");
        }
    });
}

#[test]
fn a_fifth_of_all_requests_may_fail() {
    let server = server();
    for (seed, fault) in (1..).zip([
        Fault::Refuse(Refusal::new(503)),
        Fault::Refuse(Refusal::new(429)),
        Fault::RefuseOnceDone(Refusal::new(500)),
        Fault::Reset,
        Fault::ResetOnceDone,
    ]) {
        server.inject(Rule::new(None, "*", fault).sometimes(4, seed));
    }
    for (seed, fault) in
        (6..).zip([Fault::CutBody { after: 100 }, Fault::ResetBody { after: 5000 }])
    {
        server.inject(Rule::new(Operation::Read, "*", fault).sometimes(10, seed));
    }
    in_process("faults::two_hundred_submits", &server);

    assert!(server.count(Operation::CompleteUpload, "*/arguments") >= 4);
    assert!(server.count(Operation::CompleteUpload, "*/result") >= 4);
    // Each submit but makes five requests; faults of bodies come on top of those that are seen here.
    let answered = server.requests();
    let failed = answered.iter().filter(|request| request.status.is_none_or(|it| it >= 429));
    let (failed, all) = (failed.count(), answered.len());
    assert!(all > 5 * SUBMITS && failed * 6 > all, "{failed} of {all} failed, which proves little");
}
