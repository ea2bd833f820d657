//! Several submitters, each in a process of its own.

use test_storage_server::{Fault, Operation, Refusal, Rule};

use super::{BUCKET, component_object, ended, server, start};

#[tokio::test]
async fn two_that_stage_the_same_component_at_once_do_not_disturb_each_other() {
    conformance::build_guests();
    let (server, component) = (server(), component_object());
    // Until both have seen that it isn't there, neither can write it.
    for operation in [Operation::Write, Operation::BeginUpload] {
        let busy = Fault::Refuse(Refusal::new(503));
        server.inject(Rule::new(operation, &component, busy));
    }
    let both = [0; 2].map(|_| start("one_greeting", &server, &[]));
    server.wait_for(Operation::Head, &component, 2).await;
    assert!(server.object(BUCKET, &component).is_none());
    server.clear_faults();
    for process in both {
        ended(process);
    }

    let written = [Operation::Write, Operation::CompleteUpload]
        .map(|operation| {
            let requests = server.requests().into_iter();
            requests
                .filter(|it| it.operation == operation && it.object == component)
                .filter(|it| it.status == Some(200))
                .count()
        })
        .into_iter()
        .sum::<usize>();
    assert_eq!(written, 2);
    let bytes = server.object(BUCKET, &component).unwrap().to_bytes();
    assert!(component.ends_with(&hype_wire::Digest::of(&bytes).to_string()));
    assert!(server.unfinished_uploads(BUCKET).is_empty());
}
