//! Each fault, as seen by a client without retries.

use std::io::ErrorKind;
use std::time::Duration;

use crate::client::{Client, request, status};
use bytes::Bytes;
use test_storage_server::{Fault, Operation, Refusal, Rule, Settings, StorageServer};

/// A time longer than any test.
const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);
const A_MOMENT: Duration = Duration::from_millis(1);

/// Starts a server with the object `name`, whose content is `0123456789`.
fn server() -> StorageServer {
    let server = StorageServer::start(&Settings::new().with_bucket("b")).unwrap();
    server.put_object("b", "name", Bytes::from_static(b"0123456789"));
    server
}

fn content(server: &StorageServer, name: &str) -> Option<Bytes> {
    server.object("b", name).map(|content| content.to_bytes())
}

/// Asserts that `client` receives nothing until the server has responded to another request.
async fn assert_waits(server: &StorageServer, client: &mut Client) {
    tokio::select! {
        biased;
        read = client.read(1) => panic!("{read:?} was received"),
        status = status(server, "HEAD /b/name", &[]) => assert_eq!(status, 200),
    }
}

#[tokio::test]
async fn refused_request_has_no_effect() {
    let server = server();
    let refusal = Refusal::new(503).with_retry_after(7);
    server.inject(Rule::new(Operation::Write, "new", Fault::Refuse(refusal)).first(1));
    let (head, body) = request(&server, "PUT /b/new", &[], b"content").await;
    assert_eq!((head.status, head.header("retry-after")), (503, "7"));
    assert!(body.contains("<Code>ServiceUnavailable</Code>"), "{body}");
    assert_eq!(content(&server, "new"), None);
    assert_eq!(request(&server, "PUT /b/new", &[], b"content").await.0.status, 200);
    assert_eq!(content(&server, "new").unwrap(), "content");
}

#[tokio::test]
async fn injected_refusal_returns_its_status_and_body() {
    let server = server();
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchKey"), (429, "SlowDown")] {
        server.inject(Rule::new(None, "*", Fault::Refuse(Refusal::new(status))).first(1));
        let (head, body) = request(&server, "GET /b/name", &[], b"").await;
        assert_eq!(head.status, status);
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
        server.clear_faults();
    }
    let refusal = Refusal::new(502).with_body("<html>no gateway");
    server.inject(Rule::new(None, "*", Fault::Refuse(refusal)));
    assert_eq!(request(&server, "GET /b/name", &[], b"").await.1, "<html>no gateway");
}

#[tokio::test]
async fn refuse_after_serving_has_an_effect() {
    let server = server();
    let fault = Fault::RefuseAfterServing(Refusal::new(500));
    server.inject(Rule::new(Operation::Write, "*", fault).first(1));
    let create = [("x-goog-if-generation-match", "0")];
    let (head, body) = request(&server, "PUT /b/new", &create, b"content").await;
    assert_eq!(head.status, 500);
    assert!(body.contains("<Code>InternalError</Code>"), "{body}");
    assert_eq!(content(&server, "new").unwrap(), "content");
    assert_eq!(request(&server, "PUT /b/new", &create, b"content").await.0.status, 412);
}

#[tokio::test]
async fn reset_happens_before_or_after_serving() {
    for (fault, found) in [(Fault::Reset, None), (Fault::ResetAfterServing, Some("content".into()))]
    {
        let server = server();
        server.inject(Rule::new(Operation::Write, "new", fault));
        let mut client = Client::connect(&server).await;
        let error = client.request("PUT /b/new", &[], b"content").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(content(&server, "new"), found);
        assert_eq!(server.requests()[0].status, None);
    }
}

#[tokio::test]
async fn delayed_request_is_served_later() {
    let server = server();
    server.inject(Rule::new(Operation::Write, "*", Fault::Delay(FOR_EVER)).nth(1));
    server.inject(Rule::new(Operation::Write, "*", Fault::Delay(A_MOMENT)));
    let mut client = Client::connect(&server).await;
    client.send("PUT /b/new", &[], b"content").await.unwrap();
    server.wait_for(Operation::Write, "new", 1).await;
    assert_waits(&server, &mut client).await;
    assert_eq!(content(&server, "new"), None);
    assert_eq!(request(&server, "PUT /b/new", &[], b"other").await.0.status, 200);
    assert_eq!(content(&server, "new").unwrap(), "other");
}

#[tokio::test]
async fn body_pauses() {
    let server = server();
    let fault = |pause| Fault::DelayBody { after: 4, pause };
    server.inject(Rule::new(Operation::Read, "*", fault(FOR_EVER)).nth(1));
    server.inject(Rule::new(Operation::Read, "*", fault(A_MOMENT)));
    let mut client = Client::connect(&server).await;
    client.send("GET /b/name", &[], b"").await.unwrap();
    assert_eq!(client.head().await.unwrap().length(), 10);
    assert_eq!(client.read(4).await.unwrap(), "0123");
    assert_waits(&server, &mut client).await;
    assert_eq!(request(&server, "GET /b/name", &[], b"").await.1, "0123456789");
}

#[tokio::test]
async fn body_is_sent_slowly() {
    let server = server();
    let fault = |pause| Fault::SlowBody { piece: 3, pause };
    server.inject(Rule::new(Operation::Read, "*", fault(FOR_EVER)).nth(1));
    server.inject(Rule::new(Operation::Read, "*", fault(A_MOMENT)));
    let mut client = Client::connect(&server).await;
    client.send("GET /b/name", &[], b"").await.unwrap();
    client.head().await.unwrap();
    assert_eq!(client.read(3).await.unwrap(), "012");
    assert_waits(&server, &mut client).await;
    assert_eq!(request(&server, "GET /b/name", &[], b"").await.1, "0123456789");
}

#[tokio::test]
async fn body_ends_in_a_reset() {
    for before in ["", "0123"] {
        let server = server();
        let fault = Fault::ResetBody { after: before.len() as u64 };
        server.inject(Rule::new(Operation::Read, "*", fault));
        let mut client = Client::connect(&server).await;
        client.send("GET /b/name", &[], b"").await.unwrap();
        assert_eq!(client.head().await.unwrap().length(), 10);
        assert_eq!(client.read(before.len()).await.unwrap(), before);
        let error = client.read(1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn body_is_truncated() {
    for before in ["", "0123"] {
        let server = server();
        let fault = Fault::CutBody { after: before.len() as u64 };
        server.inject(Rule::new(Operation::Read, "*", fault));
        let mut client = Client::connect(&server).await;
        client.send("GET /b/name", &[], b"").await.unwrap();
        assert_eq!(client.head().await.unwrap().length(), 10);
        assert_eq!(client.read(before.len()).await.unwrap(), before);
        let error = client.read(1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}

#[tokio::test]
async fn body_is_altered() {
    let server = server();
    for (at, altered) in [(0, 0), (4, 4), (100, 9)] {
        server.inject(Rule::new(Operation::Read, "*", Fault::AlterBody { at }).first(1));
        let mut client = Client::connect(&server).await;
        let range = [("range", "bytes=0-")];
        client.send("GET /b/name", &range, b"").await.unwrap();
        assert_eq!(client.head().await.unwrap().length(), 10);
        let mut expected = *b"0123456789";
        expected[altered] = !expected[altered];
        assert_eq!(client.bytes(10).await.unwrap(), expected);
        server.clear_faults();
    }
    assert_eq!(request(&server, "GET /b/name", &[], b"").await.1, "0123456789");
}

#[tokio::test]
async fn body_faults_spare_empty_bodies() {
    let server = server();
    server.put_object("b", "empty", Bytes::new());
    for fault in [Fault::ResetBody { after: 0 }, Fault::AlterBody { at: 0 }] {
        server.inject(Rule::new(None, "*", fault));
        assert_eq!(status(&server, "HEAD /b/name", &[]).await, 200);
        assert_eq!(status(&server, "GET /b/empty", &[]).await, 200);
        server.clear_faults();
    }
}

#[tokio::test]
async fn rules_select_requests() {
    let server = server();
    let refuse = |status| Fault::Refuse(Refusal::new(status));
    server.inject(Rule::new(Operation::Head, "na*", refuse(418)).nth(2));
    server.inject(Rule::new(Operation::Head, "*", refuse(503)).nth(3));
    server.inject(Rule::new(Operation::Read, "*", refuse(429)));
    let mut found = Vec::new();
    for line in ["HEAD /b/no", "HEAD /b/name", "HEAD /b/name", "HEAD /b/name", "GET /b/name"] {
        found.push(status(&server, line, &[]).await);
    }
    // The third `HEAD` is the second with a matching name. Both rules apply, and the first one wins.
    assert_eq!(found, [404, 200, 418, 200, 429]);
}

#[tokio::test]
async fn random_faults_repeat() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let server = server();
        server.inject(Rule::new(None, "*", Fault::Refuse(Refusal::new(503))).sometimes(50, 3));
        let mut client = Client::connect(&server).await;
        let mut run = Vec::new();
        for _ in 0..20 {
            run.push(client.request("GET /b/name", &[], b"").await.unwrap().0.status);
        }
        assert!(run.contains(&200) && run.contains(&503), "{run:?}");
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
}
