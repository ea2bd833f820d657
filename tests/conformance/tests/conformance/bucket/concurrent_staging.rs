//! Several submitters, each in its own process.

use test_storage_server::{Fault, Operation, Refusal, Rule};

use super::{BUCKET, component_object, ended, server, start};

#[tokio::test]
async fn concurrent_staging_of_one_component_succeeds() {
    conformance::build_guests();
    let (server, component) = (server(), component_object());
    // Neither can write the component until both have seen that it is missing.
    for operation in [Operation::Write, Operation::BeginUpload] {
        let busy = Fault::Refuse(Refusal::new(503));
        server.inject(Rule::new(operation, &component, busy));
    }
    let both = [0; 2].map(|_| start("submitted_greeting_is_returned", &server, &[]));
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
