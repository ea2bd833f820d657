//! HTTP requests: denied ones, and granted ones to a server on this machine.

use std::io::Write;
use std::time::Duration;

use hype::{ErrorKind, FailureKind, RunEnvironment, Submitter};
use test_guests::http::{Order, count, fetch, first_byte, order, send};

use crate::failure;
use crate::loopback::{Loopback, response};

pub async fn denied_request_ends_the_closure(submitter: &Submitter) {
    for env in [RunEnvironment::new(), RunEnvironment::new().allow_http("other.example")] {
        let result = submitter.submit(fetch("http://api.example/x".into()), &env).await;
        let (error, failure) = failure(result, FailureKind::Power);
        assert_eq!(
            failure.message,
            "`fetch` asked for http://api.example/x, which its environment doesn't grant: \
             RunEnvironment::allow_http(\"http://api.example\") would"
        );
        assert_eq!(error.exit_code(), 1);
    }
}

pub async fn metadata_service_is_denied(submitter: &Submitter) {
    let env = RunEnvironment::new().allow_http("*.internal").allow_http_private("*.example");
    for url in [
        "http://169.254.169.254/computeMetadata/v1/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[fd00:ec2::254]/",
        "http://metadata.google.internal/",
    ] {
        let result = submitter.submit(fetch(url.into()), &env).await;
        let (_, failure) = failure(result, FailureKind::Power);
        assert!(failure.message.starts_with(&format!("`fetch` asked for {url}")), "{failure:?}");
        assert!(!failure.message.contains("would"), "{failure:?}");
    }
}

pub async fn grant_for_ungrantable_host_is_an_input_error(submitter: &Submitter) {
    for hosts in ["http://169.254.169.254", "metadata.google.internal", "not a host"] {
        let env = RunEnvironment::new().allow_http_private(hosts);
        let error = submitter.submit(fetch("http://a.example/".into()), &env).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
        assert!(error.to_string().contains(hosts), "{error:?}");
    }
}

/// Returns an environment that grants the addresses of `servers`.
fn granting(servers: &[&Loopback]) -> RunEnvironment {
    let grant =
        |env: RunEnvironment, server: &&Loopback| env.allow_http_private(server.authority());
    servers.iter().fold(RunEnvironment::new(), grant)
}

pub async fn response_is_read_with_any_status(submitter: &Submitter) {
    let server = Loopback::replying("404 Not Found", "nothing\n");
    let url = server.url("/x?y=z");
    let answer =
        submitter.submit(fetch(format!("{url}#part")), &granting(&[&server])).await.unwrap();
    assert_eq!(answer, (404, format!("{url}#part"), "nothing\n".to_owned()));
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!(request.line, "GET /x?y=z HTTP/1.1");
    assert_eq!(request.header("host"), Some(&*server.authority()));
    assert!(request.header("user-agent").unwrap().starts_with("hype/"));
}

pub async fn json_is_posted_and_returned(submitter: &Submitter) {
    let server = Loopback::start(|request, stream| {
        let is_right = request.header("authorization") == Some("Bearer token")
            && request.header("content-type") == Some("application/json")
            && request.header("content-length") == Some(&*request.body.len().to_string());
        let status = if is_right { "201 Created" } else { "400 Bad Request" };
        stream.write_all(&response(status, &[], &request.body))
    });
    let bread = || Order { item: "brød".into(), count: 3 };
    let closure = order(server.url("/orders"), bread());
    assert_eq!(submitter.submit(closure, &granting(&[&server])).await.unwrap(), bread());
}

pub async fn bodies_stream_in_both_directions(submitter: &Submitter) {
    let server = Loopback::start(|request, stream| {
        if request.line.starts_with("PUT") {
            return stream.write_all(&response("200 OK", &[], &request.body));
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n")?;
        (0..64).try_for_each(|_| stream.write_all(&vec![7; 1 << 20]))
    });
    let env = granting(&[&server]);
    let text = "a body. ".repeat(100_000);
    let header = ("X-Kind".to_owned(), "öffentlich".to_owned());
    let put = send("PUT".into(), server.url("/"), header, text.clone());
    assert_eq!(submitter.submit(put, &env).await.unwrap().2, text);
    // A guest that streams a body holds only one chunk of it.
    let small = env.with_memory(32 << 20);
    assert_eq!(submitter.submit(count(vec![server.url("/")]), &small).await.unwrap(), [64 << 20]);
}

pub async fn redirects_need_a_grant(submitter: &Submitter) {
    let end = Loopback::replying("200 OK", "there");
    let target = end.url("/end");
    let begin = Loopback::start(move |request, stream| {
        let location = match &*request.line {
            "POST /a HTTP/1.1" => "b".to_owned(),
            "GET /b HTTP/1.1" => target.clone(),
            _ => "/again".to_owned(),
        };
        stream.write_all(&response("302 Found", &[format!("location: {location}")], b""))
    });
    let env = granting(&[&begin, &end]);
    let bread = || Order { item: "bread".into(), count: 1 };
    // The last response isn't JSON; the token must not have followed the redirect to another host.
    let result = submitter.submit(order(begin.url("/a"), bread()), &env).await;
    let failure = result.unwrap_err().failure().unwrap().clone();
    assert!(failure.message.contains(&end.url("/end is not the JSON")[..]), "{failure:?}");
    let [request] = &end.requests()[..] else { panic!("one request") };
    assert_eq!((&*request.line, request.header("authorization")), ("GET /end HTTP/1.1", None));
    assert_eq!((request.header("content-type"), request.body.len()), (None, 0));
    assert_eq!(begin.requests()[1].header("authorization"), Some("Bearer token"));

    let result = submitter.submit(fetch(begin.url("/again")), &env).await;
    let failure = result.unwrap_err().failure().unwrap().clone();
    assert!(failure.message.starts_with("too many redirects"), "{failure:?}");

    let result = submitter.submit(fetch(begin.url("/b")), &granting(&[&begin])).await;
    let failure = result.unwrap_err().failure().unwrap().clone();
    assert_eq!(failure.kind, FailureKind::Power);
    let hint = format!("allow_http_private(\"http://{}\") would", end.authority());
    assert!(failure.message.ends_with(&hint), "{failure:?}");
    assert_eq!(end.requests().len(), 1);
}

pub async fn grant_is_bound_to_port_and_scheme(submitter: &Submitter) {
    let server = Loopback::replying("200 OK", "there");
    for hosts in [server.host(), format!("https://{}", server.authority())] {
        let env = RunEnvironment::new().allow_http_private(hosts);
        let error = submitter.submit(fetch(server.url("/")), &env).await.unwrap_err();
        assert_eq!(error.failure().unwrap().kind, FailureKind::Power);
    }
    let literal = RunEnvironment::new().allow_http(format!("http://{}", server.authority()));
    assert_eq!(submitter.submit(fetch(server.url("/")), &literal).await.unwrap().2, "there");
    assert_eq!(server.requests().len(), 1);
}

pub async fn header_injection_is_rejected(submitter: &Submitter) {
    let server = Loopback::replying("200 OK", "");
    let env = granting(&[&server]);
    let ask = |name: &str, value: &str, path: &str| {
        let header = (name.to_owned(), value.to_owned());
        submitter.submit(send("PUT".into(), server.url(path), header, String::new()), &env)
    };
    for (name, value, path) in [
        ("X-A", "1\r\nX-B: 2", "/"),
        ("X-A: 1\r\nX-B", "2", "/"),
        ("X-A", "1\n", "/"),
        ("Host", "evil.example", "/"),
        ("Transfer-Encoding", "chunked", "/"),
        ("Connection", "upgrade", "/"),
        ("X-A", "1", "/ HTTP/1.1\r\nX-B: 2\r\n\r\n"),
    ] {
        let error = ask(name, value, path).await.unwrap_err();
        assert_eq!(error.failure().unwrap().kind, FailureKind::Function, "{name} {path} {error:?}");
    }
    assert_eq!(server.requests().len(), 0);
    ask("X-A", "1", "/").await.unwrap();
    let proxied =
        send("CONNECT".into(), server.url("/"), ("X-A".into(), "1".into()), String::new());
    assert!(submitter.submit(proxied, &env).await.unwrap_err().failure().is_some());
    assert_eq!(server.requests().len(), 1);
}

pub async fn silent_host_times_out(submitter: &Submitter) {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let server = Loopback::start(move |request, stream| {
        if request.line.contains("slow-body") {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")?;
        }
        // Blocks until the test is over.
        let _ = wait.lock().unwrap().recv();
        Ok(())
    });
    let env = granting(&[&server]);
    for path in ["/slow-head", "/slow-body"] {
        let closure = first_byte(server.url(path), Duration::from_millis(200));
        let failure = submitter.submit(closure, &env).await.unwrap_err().failure().unwrap().clone();
        assert_eq!(failure.kind, FailureKind::Function, "{failure:?}");
        let message = format!("{} {:?}", failure.message, failure.causes);
        let timeouts = ["sent nothing before the timeout", "read timeout"];
        assert!(timeouts.iter().any(|text| message.contains(text)), "{message}");
    }
    // The closure's timeout applies even if the request's timeout is longer.
    let closure = first_byte(server.url("/slow-body"), Duration::from_secs(3600));
    let error = submitter.submit(closure, &env.with_timeout(Duration::from_millis(500))).await;
    let kind = error.unwrap_err().failure().unwrap().kind;
    assert!([FailureKind::Deadline, FailureKind::Function].contains(&kind), "{kind}");
    drop(done);
}
