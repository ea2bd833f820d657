//! Hosts that mean harm: names that lead elsewhere, and answers without end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};

use conformance::cases::values::component;
use conformance::loopback::Loopback;
use futures::future::BoxFuture;
use hostile::Staged;
use hostile::shape::runtime;
use hype_run::{Executor, Resolver};
use hype_wire::{End, Failure, FailureKind, FunctionRef, HttpGrant, Payload, codec};

/// Answers with the next of its lists of addresses, each time that it is asked.
#[derive(Clone, Default)]
struct Changing {
    answers: Arc<Mutex<Vec<Vec<IpAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Resolver for Changing {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        assert_eq!(name, "api.test");
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.lock().unwrap().remove(0);
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// The executor of this process, whose guests know no addresses but those of `RESOLVER`.
fn executor() -> &'static (Changing, Executor) {
    static EXECUTOR: OnceLock<(Changing, Executor)> = OnceLock::new();
    EXECUTOR.get_or_init(|| {
        let resolver = Changing::default();
        (resolver.clone(), Executor::new().with_resolver(resolver))
    })
}

/// Gets `urls`, where `grants` are granted and names lead to `answers` one after the other; and how often
/// somebody asked for those.
fn count(
    urls: &[String],
    grants: &[HttpGrant],
    answers: &[&[&str]],
) -> (Result<Vec<u64>, Failure>, usize) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    let (resolver, executor) = executor();
    let parsed = answers.iter().map(|all| all.iter().map(|it| it.parse().unwrap()).collect());
    *resolver.answers.lock().unwrap() = parsed.collect();
    resolver.asked.store(0, Ordering::Relaxed);
    let outcome = runtime().block_on(async {
        conformance::build_guests();
        let mut staged = Staged::new(&std::fs::read(component("test-guests")).unwrap()).await;
        staged.manifest.call.function = FunctionRef::Closure("count".to_owned());
        staged.manifest.call.arguments = Payload::Inline(codec::to_vec(&(urls,)).unwrap().into());
        staged.manifest.job.powers.http = grants.to_vec();
        staged.manifest.job.limits.http_body = Some(1 << 20);
        staged.run(executor).await
    });
    let counts = match outcome.end {
        End::Value(Payload::Inline(bytes)) => Ok(codec::from_slice(&bytes).unwrap()),
        End::Value(value) => panic!("{value:?}"),
        End::Failure(failure) => Err(failure),
    };
    (counts, resolver.asked.load(Ordering::Relaxed))
}

fn grant(server: &Loopback) -> HttpGrant {
    format!("http://api.test:{}", server.port()).parse().unwrap()
}

fn url(server: &Loopback) -> String {
    format!("http://api.test:{}/", server.port())
}

#[test]
fn a_name_is_resolved_once_and_goes_where_that_led() {
    let server = Loopback::saying("200 OK", "four");
    let answers: &[&[&str]] = &[&["127.0.0.1"], &["169.254.169.254"]];
    let (counts, asked) = count(&[url(&server)], &[grant(&server).to_private()], answers);
    assert_eq!((counts.unwrap(), asked), (vec![4], 1));
    assert_eq!(server.seen()[0].header("host"), Some(&*format!("api.test:{}", server.port())));

    // The next request is a new one, and so is its name's answer.
    let (counts, asked) =
        count(&[url(&server), url(&server)], &[grant(&server).to_private()], answers);
    let failure = counts.unwrap_err();
    assert_eq!((failure.kind, asked), (FailureKind::Power, 2));
    assert!(failure.message.ends_with("nothing does"), "{failure:?}");
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn addresses_that_a_grant_is_not_for_are_dropped() {
    let server = Loopback::saying("200 OK", "four");
    let mixed: &[&str] =
        &["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "127.0.0.1"];
    let (counts, _) = count(&[url(&server)], &[grant(&server).to_private()], &[mixed]);
    assert_eq!(counts.unwrap(), [4]);
    for private in [&["127.0.0.1"][..], &["10.0.0.1", "::1"], &["::ffff:127.0.0.1"]] {
        let failure = count(&[url(&server)], &[grant(&server)], &[private]).0.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Power);
        let told = format!("allow_http_private(\"http://api.test:{}\") would", server.port());
        assert!(failure.message.ends_with(&told), "{failure:?}");
    }
    let failure = count(&[url(&server)], &[grant(&server)], &[&[]]).0.unwrap_err();
    assert!(failure.causes[0].contains("no address"), "{failure:?}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn answers_without_end_are_broken_off() {
    for (begin, piece, told) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "x".repeat(1 << 16), "size"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            format!("10000\r\n{}\r\n", "x".repeat(1 << 16)),
            "size",
        ),
        ("HTTP/1.1 200 OK\r\nx: ", "x".repeat(1 << 16), ""),
        ("HTTP/1.1 200 OK\r\n", "x: x\r\n".repeat(1 << 10), ""),
    ] {
        let (broken, wait) = channel();
        let server = Loopback::start(move |_, stream| {
            stream.write_all(begin.as_bytes())?;
            while stream.write_all(piece.as_bytes()).is_ok() {}
            let _ = broken.send(());
            Ok(())
        });
        let failure = count(&[url(&server)], &[grant(&server).to_private()], &[&["127.0.0.1"]]);
        let failure = failure.0.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Function);
        let all = format!("{} {:?}", failure.message, failure.causes);
        assert!(all.contains(told), "{all}");
        // The server finds that nobody reads on.
        wait.recv().unwrap();
    }
}
