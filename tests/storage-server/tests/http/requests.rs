//! Requests that object_store's client doesn't send, and the journal of requests.

use std::io::ErrorKind;

use bytes::Bytes;
use test_storage_server::{Operation, Request, Settings, StorageServer};
use tokio::net::TcpStream;

use crate::client::{Client, request, status};

fn server() -> StorageServer {
    StorageServer::start(&Settings::new().with_bucket("b").with_bucket("other")).unwrap()
}

#[tokio::test]
async fn object_keeps_its_headers() {
    let server = server();
    let sent = [("content-type", "text/plain"), ("x-goog-meta-key", "value"), ("x-other", "gone")];
    let (written, _) = request(&server, "PUT /b/a%20name", &sent, b"0123456789").await;
    for method in ["GET", "HEAD"] {
        let (head, body) = request(&server, &format!("{method} /b/a%20name"), &[], b"").await;
        assert_eq!((head.status, head.length()), (200, 10));
        assert_eq!(head.header("content-type"), "text/plain");
        assert_eq!(head.header("x-goog-meta-key"), "value");
        assert_eq!(head.header("x-other"), "");
        assert_eq!(head.header("x-goog-stored-content-length"), "10");
        for same in ["etag", "x-goog-generation", "x-goog-metageneration"] {
            assert_ne!(head.header(same), "");
            assert_eq!(head.header(same), written.header(same));
        }
        assert!(head.header("last-modified").ends_with(" GMT"));
        assert_eq!(body, if method == "GET" { "0123456789" } else { "" });
    }
}

#[tokio::test]
async fn range_selects_part_of_an_object() {
    let server = server();
    server.put_object("b", "name", Bytes::from_static(b"0123456789"));
    for (range, shown, body) in
        [("2-4", "2-4", "234"), ("7-", "7-9", "789"), ("-2", "8-9", "89"), ("5-99", "5-9", "56789")]
    {
        let range = [("range", &*format!("bytes={range}"))];
        let (head, found) = request(&server, "GET /b/name", &range, b"").await;
        assert_eq!((head.status, &*found), (206, body));
        assert_eq!(head.header("content-range"), format!("bytes {shown}/10"));
        assert_eq!(head.header("x-goog-stored-content-length"), "10");
    }
    let (head, body) = request(&server, "GET /b/name", &[("range", "bytes=10-")], b"").await;
    assert_eq!((head.status, head.header("content-range")), (416, "bytes */10"));
    assert!(body.contains("<Code>InvalidRange</Code>"), "{body}");
}

#[tokio::test]
async fn preconditions_are_checked() {
    let server = server();
    let (head, _) = request(&server, "PUT /b/name", &[], b"content").await;
    let (tag, generation) = (head.header("etag"), head.header("x-goog-generation"));
    let (head, _) = request(&server, "HEAD /b/name", &[], b"").await;
    let modified = head.header("last-modified");
    let long_ago = "Thu, 01 Jan 1970 00:00:00 GMT";
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[("if-match", tag)], 200),
        (&[("if-match", "\"x\", *")], 200),
        (&[("if-match", "\"x\"")], 412),
        (&[("if-none-match", tag)], 304),
        (&[("if-none-match", "\"x\"")], 200),
        (&[("if-modified-since", modified)], 304),
        (&[("if-modified-since", long_ago)], 200),
        (&[("if-unmodified-since", modified)], 200),
        (&[("if-unmodified-since", long_ago)], 412),
        // ETags take precedence over times.
        (&[("if-match", tag), ("if-unmodified-since", long_ago)], 200),
        (&[("if-none-match", "\"x\""), ("if-modified-since", modified)], 200),
        (&[("x-goog-if-generation-match", generation)], 200),
        (&[("x-goog-if-generation-match", "1")], 412),
        (&[("x-goog-if-generation-match", "x")], 400),
    ];
    for (headers, expected) in cases {
        for method in ["GET", "HEAD"] {
            let found = status(&server, &format!("{method} /b/name"), headers).await;
            assert_eq!(found, *expected, "{method} {headers:?}");
        }
    }
    // Writes, in an order in which each wrongly accepted one would be noticed.
    let with = |generation| [("x-goog-if-generation-match", generation)];
    assert_eq!(status(&server, "DELETE /b/name", &with("1")).await, 412);
    assert_eq!(status(&server, "PUT /b/name", &with("0")).await, 412);
    assert_eq!(server.object("b", "name").unwrap().to_bytes(), "content");
    assert_eq!(status(&server, "PUT /b/name", &with(generation)).await, 200);
    assert_eq!(status(&server, "PUT /b/name", &with(generation)).await, 412);
    assert_eq!(status(&server, "DELETE /b/name", &[]).await, 204);
    assert_eq!(status(&server, "PUT /b/name", &with(generation)).await, 412);
    assert_eq!(status(&server, "PUT /b/name", &with("0")).await, 200);
}

#[tokio::test]
async fn failed_requests_have_error_codes() {
    let server = server();
    server.put_object("b", "name", Bytes::new());
    let copy = [("x-goog-copy-source", "b/none")];
    for (line, status, code) in [
        ("GET /none/name", 404, "NoSuchBucket"),
        ("PUT /none/name", 404, "NoSuchBucket"),
        ("GET /none?list-type=2", 404, "NoSuchBucket"),
        ("GET /b/none", 404, "NoSuchKey"),
        ("GET /b/name?generation=1", 404, "NoSuchKey"),
        ("DELETE /b/none", 404, "NoSuchKey"),
        ("PUT /b/copy", 404, "NoSuchKey"),
        ("PUT /b/name?partNumber=1&uploadId=x", 404, "NoSuchUpload"),
        ("DELETE /b/name?uploadId=x", 404, "NoSuchUpload"),
        ("POST /b/name?uploadId=x", 400, "MalformedXML"),
        ("PUT /b/name%0A", 400, "InvalidArgument"),
        ("GET /b?list-type=2&max-keys=x", 400, "InvalidArgument"),
        ("GET /b", 405, "MethodNotAllowed"),
        ("PATCH /b/name", 405, "MethodNotAllowed"),
    ] {
        let headers = if line == "PUT /b/copy" { &copy[..] } else { &[] };
        let (head, body) = request(&server, line, headers, b"").await;
        assert_eq!(head.status, status, "{line}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{line}: {body}");
    }
}

#[tokio::test]
async fn upload_is_open_until_completed_or_aborted() {
    let server = server();
    let begin = async || {
        let (_, body) = request(&server, "POST /b/name?uploads", &[], b"").await;
        let (_, id) = body.split_once("<UploadId>").unwrap();
        id.split_once('<').unwrap().0.to_owned()
    };
    let (one, other) = (begin().await, begin().await);
    assert_eq!(server.unfinished_uploads("b"), ["name", "name"]);
    assert_eq!(status(&server, &format!("DELETE /b/name?uploadId={one}"), &[]).await, 204);
    assert_eq!(server.unfinished_uploads("b"), ["name"]);

    let line = format!("PUT /b/name?partNumber=1&uploadId={other}");
    let (part, _) = request(&server, &line, &[], b"content").await;
    let complete = async |etag: &str| {
        let list = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
             </CompleteMultipartUpload>"
        );
        let line = format!("POST /b/name?uploadId={other}");
        request(&server, &line, &[], list.as_bytes()).await.0.status
    };
    assert_eq!(complete("\"wrong\"").await, 400);
    assert_eq!(server.names("b").len(), 0);
    assert_eq!(complete(part.header("etag")).await, 200);
    assert_eq!(server.unfinished_uploads("b"), [""; 0]);
    assert_eq!(server.object("b", "name").unwrap().to_bytes(), "content");
    assert_eq!(complete(part.header("etag")).await, 404);
}

#[tokio::test]
async fn requests_are_recorded_and_counted() {
    let server = server();
    for line in ["PUT /b/runs/1/a", "PUT /b/runs/2/a", "GET /b/runs/1/b", "GET /other?list-type=2"]
    {
        status(&server, line, &[]).await;
    }
    assert_eq!(server.count(Operation::Write, "runs/*"), 2);
    assert_eq!(server.count(Operation::Write, "runs/1/*"), 1);
    assert_eq!(server.count(Operation::Read, "*"), 1);
    assert_eq!(server.count(Operation::Delete, "*"), 0);
    let entered: Vec<_> = server.requests();
    assert_eq!(entered.len(), 4);
    let missing = Request {
        operation: Operation::Read,
        bucket: "b".to_owned(),
        object: "runs/1/b".to_owned(),
        status: Some(404),
    };
    assert_eq!(entered[2], missing);
    assert_eq!((entered[3].operation, &*entered[3].bucket), (Operation::List, "other"));
    // Direct access by the test is not counted.
    server.put_object("b", "new", Bytes::new());
    server.remove_object("b", "new");
    assert_eq!(server.requests().len(), 4);
    assert_eq!(Vec::from_iter(server.names("b")), ["runs/1/a", "runs/2/a"]);
}

#[tokio::test]
async fn dropped_server_closes_its_port() {
    let server = server();
    let host = server.host();
    let mut client = Client::connect(&server).await;
    client.request("PUT /b/name", &[], b"").await.unwrap();
    drop(server);
    client.read(1).await.unwrap_err();
    let error = TcpStream::connect(host).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
