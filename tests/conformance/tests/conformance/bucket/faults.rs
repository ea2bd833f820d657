//! Many failing requests: every submit succeeds nevertheless.

use futures::{StreamExt, TryStreamExt, stream};
use hype::RunEnvironment;
use test_guests::values::reverse;
use test_storage_server::{Fault, Operation, Refusal, Rule};

use super::{in_process, server, submit};

const SUBMITS: usize = 200;

/// Most values are inline in manifest and outcome, some are objects of their own, and a few are uploaded in parts.
fn size(number: usize) -> usize {
    match number {
        _ if number % 50 == 49 => (8 << 20) + number,
        _ if number % 5 == 4 => 100_000 + number,
        _ => 100 * number,
    }
}

/// Returns bytes that are unique to `number`.
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
fn concurrent_submits_return_their_own_values() {
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
fn submits_survive_failing_requests() {
    let server = server();
    for (seed, fault) in (1..).zip([
        Fault::Refuse(Refusal::new(503)),
        Fault::Refuse(Refusal::new(429)),
        Fault::RefuseAfterServing(Refusal::new(500)),
        Fault::Reset,
        Fault::ResetAfterServing,
    ]) {
        server.inject(Rule::new(None, "*", fault).sometimes(4, seed));
    }
    for (seed, fault) in
        (6..).zip([Fault::CutBody { after: 100 }, Fault::ResetBody { after: 5000 }])
    {
        server.inject(Rule::new(Operation::Read, "*", fault).sometimes(10, seed));
    }
    in_process("faults::concurrent_submits_return_their_own_values", &server);

    assert!(server.count(Operation::CompleteUpload, "*/arguments") >= 4);
    assert!(server.count(Operation::CompleteUpload, "*/result") >= 4);
    // A submit makes at least five requests. Faults within bodies aren't counted here.
    let answered = server.requests();
    let failed = answered.iter().filter(|request| request.status.is_none_or(|it| it >= 429));
    let (failed, all) = (failed.count(), answered.len());
    assert!(all > 5 * SUBMITS && failed * 6 > all, "{failed} of {all} failed, which proves little");
}

/// The number of items, some of which have large arguments and values.
const ITEMS: usize = 300;

#[test]
#[ignore = "needs STORAGE_EMULATOR_HOST, which the test below sets"]
fn staged_map_is_detached_and_attached() {
    submit(|submitter| async move {
        let closures = (0..ITEMS).map(|number| reverse(bytes(number % 50)));
        let endless = stream::iter(closures).chain(stream::pending());
        let mut map = submitter.map_stream(endless, &RunEnvironment::new()).staged();
        for number in 0..ITEMS / 2 {
            let mut value = map.next().await.unwrap().unwrap();
            value.reverse();
            assert!(value == bytes(number % 50), "the value of {number} is another");
        }
        let id = map.detach().await.unwrap();
        let closures = (0..ITEMS).map(|number| reverse(bytes(number % 50)));
        let resumed = submitter.map(closures, &RunEnvironment::new()).resume(&id);
        let values: Vec<_> = resumed.try_collect().await.unwrap();
        assert_eq!(values.len(), ITEMS);
        for (number, mut value) in values.into_iter().enumerate() {
            value.reverse();
            assert!(value == bytes(number % 50), "the value of {number} is another");
        }
        submitter.attach_map::<Vec<u8>>(&id).cancel().await.unwrap();
    });
}

#[test]
fn staged_map_survives_failing_requests() {
    let server = server();
    for (seed, fault) in (1..).zip([
        Fault::Refuse(Refusal::new(503)),
        Fault::RefuseAfterServing(Refusal::new(500)),
        Fault::ResetAfterServing,
    ]) {
        server.inject(Rule::new(None, "*", fault).sometimes(10, seed));
    }
    in_process("faults::staged_map_is_detached_and_attached", &server);
    assert!(
        server.count(Operation::Write, "*/plan/*") >= 1
            && server.count(Operation::Write, "*/out/*") >= 4
    );
}
