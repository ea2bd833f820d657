//! Attacks by HTTP servers: DNS rebinding, and endless responses. Each on guests in this process and in workers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};

use conformance::cases::values::component;
use conformance::loopback::Loopback;
use futures::future::BoxFuture;
use hostile::Staged;
use hostile::attack::runtime;
use hype_run::{CodeKind, Executor, Resolver};
use hype_wire::{
    End, Failure, FailureKind, FunctionRef, HttpGrant, Limits, Payload, Powers, codec,
};

/// A resolver that returns the next of its lists of addresses at each query.
#[derive(Clone, Default)]
struct RebindingResolver {
    answers: Arc<Mutex<Vec<Vec<IpAddr>>>>,
    queries: Arc<AtomicUsize>,
}

impl Resolver for RebindingResolver {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        assert_eq!(name, "api.test");
        self.queries.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.lock().unwrap().remove(0);
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// An executor, and the resolver of its guests.
struct Place {
    resolver: RebindingResolver,
    executor: Executor,
}

impl Place {
    fn new(executor: Executor) -> Self {
        let resolver = RebindingResolver::default();
        Self { resolver: resolver.clone(), executor: executor.with_resolver(resolver) }
    }
}

/// Returns the executors whose guests run in this process, and in workers.
fn places() -> &'static [Place; 2] {
    static PLACES: OnceLock<[Place; 2]> = OnceLock::new();
    PLACES.get_or_init(|| {
        let places = [Executor::new(), Executor::in_workers(2)].map(Place::new);
        let powers = Powers { http: vec!["a.test".parse().unwrap()], ..Powers::default() };
        let kinds = places
            .each_ref()
            .map(|place| runtime().block_on(async { place.executor.code_kind(&powers).await }));
        assert_eq!(kinds, [CodeKind::Checked, CodeKind::Unchecked]);
        places
    })
}

/// Runs a guest that requests `urls` with `grants`. The resolver returns `answers` one after the other. Returns
/// the sizes of the responses, and the number of DNS queries.
fn count(
    place: &Place,
    urls: &[String],
    grants: &[HttpGrant],
    answers: &[&[&str]],
) -> (Result<Vec<u64>, Failure>, usize) {
    count_within(place, Limits::default(), urls, grants, answers)
}

/// Does the same as [`count`], with the timeout of `limits`.
fn count_within(
    place: &Place,
    limits: Limits,
    urls: &[String],
    grants: &[HttpGrant],
    answers: &[&[&str]],
) -> (Result<Vec<u64>, Failure>, usize) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let Place { resolver, executor } = place;
    let parsed = answers.iter().map(|all| all.iter().map(|it| it.parse().unwrap()).collect());
    *resolver.answers.lock().unwrap() = parsed.collect();
    resolver.queries.store(0, Ordering::Relaxed);
    let outcome = runtime().block_on(async {
        conformance::build_guests();
        let mut staged = Staged::new(&std::fs::read(component("test-guests")).unwrap()).await;
        staged.manifest.call.function = FunctionRef::Closure("count".to_owned());
        staged.manifest.call.arguments = Payload::Inline(codec::to_vec(&(urls,)).unwrap().into());
        staged.manifest.job.powers.http = grants.to_vec();
        staged.manifest.job.limits = Limits { http_body: Some(1 << 20), ..limits };
        staged.run(executor).await
    });
    let counts = match outcome.end {
        End::Value(Payload::Inline(bytes)) => Ok(codec::from_slice(&bytes).unwrap()),
        End::Value(value) => panic!("{value:?}"),
        End::Failure(failure) => Err(failure),
    };
    (counts, resolver.queries.load(Ordering::Relaxed))
}

fn grant(server: &Loopback) -> HttpGrant {
    format!("http://api.test:{}", server.port()).parse().unwrap()
}

fn url(server: &Loopback) -> String {
    format!("http://api.test:{}/", server.port())
}

#[test]
fn each_request_resolves_its_host_once() {
    for place in places() {
        let server = Loopback::replying("200 OK", "four");
        let grants = [grant(&server).to_private()];
        let answers: &[&[&str]] = &[&["127.0.0.1"], &["169.254.169.254"]];
        let (counts, queries) = count(place, &[url(&server)], &grants, answers);
        assert_eq!((counts.unwrap(), queries), (vec![4], 1));
        let host = format!("api.test:{}", server.port());
        assert_eq!(server.requests()[0].header("host"), Some(&*host));

        // A second request resolves the name again, to another address.
        let (counts, queries) = count(place, &[url(&server), url(&server)], &grants, answers);
        let failure = counts.unwrap_err();
        assert_eq!((failure.kind, queries), (FailureKind::Power, 2));
        assert!(failure.message.ends_with("nothing does"), "{failure:?}");
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn addresses_without_a_grant_are_dropped() {
    for place in places() {
        let server = Loopback::replying("200 OK", "four");
        let count =
            |grant, addresses: &[&str]| count(place, &[url(&server)], &[grant], &[addresses]).0;
        let mixed: &[&str] =
            &["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "127.0.0.1"];
        assert_eq!(count(grant(&server).to_private(), mixed).unwrap(), [4]);
        for private in [&["127.0.0.1"][..], &["10.0.0.1", "::1"], &["::ffff:127.0.0.1"]] {
            let failure = count(grant(&server), private).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Power);
            let hint = format!("allow_http_private(\"http://api.test:{}\") would", server.port());
            assert!(failure.message.ends_with(&hint), "{failure:?}");
        }
        let failure = count(grant(&server), &[]).unwrap_err();
        assert!(failure.causes[0].contains("no address"), "{failure:?}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn endless_responses_are_aborted() {
    for place in places() {
        for (beginning, piece, cause) in [
            ("HTTP/1.1 200 OK\r\n\r\n", "x".repeat(1 << 16), "size"),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                format!("10000\r\n{}\r\n", "x".repeat(1 << 16)),
                "size",
            ),
            ("HTTP/1.1 200 OK\r\nx: ", "x".repeat(1 << 16), ""),
            ("HTTP/1.1 200 OK\r\n", "x: x\r\n".repeat(1 << 10), ""),
        ] {
            let (aborted, has_aborted) = channel();
            let server = Loopback::start(move |_, stream| {
                stream.write_all(beginning.as_bytes())?;
                while stream.write_all(piece.as_bytes()).is_ok() {}
                let _ = aborted.send(());
                Ok(())
            });
            let grants = [grant(&server).to_private()];
            let failure = count(place, &[url(&server)], &grants, &[&["127.0.0.1"]]).0.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Function);
            let all = format!("{} {:?}", failure.message, failure.causes);
            assert!(all.contains(cause), "{all}");
            // The server's next write fails.
            has_aborted.recv().unwrap();
        }
    }
}

/// A program ends the requests of its guest also when the guest's worker is killed.
#[test]
fn request_ends_with_its_call() {
    for place in places() {
        let (closed, is_closed) = channel();
        let server = Loopback::start(move |_, stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n1")?;
            // The server reads until the other end closes the connection.
            let _ = closed.send(stream.read(&mut [0]));
            Ok(())
        });
        let grants = [grant(&server).to_private()];
        let limits = Limits { timeout_ms: Some(500), ..Limits::default() };
        let ended = count_within(place, limits, &[url(&server)], &grants, &[&["127.0.0.1"]]);
        let failure = ended.0.unwrap_err();
        // The timeout of the request ends as early.
        let kinds = [FailureKind::Deadline, FailureKind::Function];
        assert!(kinds.contains(&failure.kind), "{failure:?}");
        assert!(matches!(is_closed.recv().unwrap(), Ok(0) | Err(_)));
    }
}
