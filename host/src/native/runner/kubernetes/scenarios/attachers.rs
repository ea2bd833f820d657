//! Tests of several attachers, early attachers, attachers of another version, and dropped attachers.

use std::time::Duration;

use hype_wire::{End, Lease, Outcome, Payload, RunManifest, Statistics, codec, names};

use super::attached::{Detached, RUN, TERM};
use crate::error::ErrorKind;

/// The value can be taken once, but both attachers may read it before its removal.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_attachers_get_the_value_or_an_explanation() {
    let run = Detached::new(true).await;
    let (one, other) = (run.attach(), run.attach());
    let ends = async {
        run.server.wait_for_requests("GET pods", 2).await;
        run.end(true).await;
    };
    let (one, other, ()) = futures::join!(one, other, ends);
    let mut values = 0;
    for ended in [one, other] {
        match ended {
            Ok(value) => values += usize::from(value == "hello you"),
            Err(error) => {
                let report = error.report();
                let is_explained = report
                    .contains("another program took its value or cancelled it")
                    || report.contains("its value may have been collected");
                assert!(is_explained, "{report}");
            }
        }
    }
    assert!(values >= 1);
    assert_eq!(run.remaining().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_attacher_leaves_the_run() {
    let run = Detached::new(true).await;
    let mut attached = Box::pin(run.attach());
    tokio::select! {
        ended = &mut attached => panic!("{ended:?}"),
        () = run.server.wait_for_requests("GET pods", 2) => {}
    }
    drop(attached);
    assert_eq!(run.remaining().await, (1, 0, 2));
    run.end(true).await;
    assert_eq!(run.attach().await.unwrap(), "hello you");
    assert_eq!(run.remaining().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn attacher_waits_until_the_run_is_staged() {
    let run = Detached::new(true).await;
    let (name, lease) = (names::manifest(RUN), names::lease(RUN));
    let manifest = run.stage.get(&name, RunManifest::MAX_SIZE).await.unwrap();
    run.stage.remove(&[name.clone(), lease.clone()]).await.unwrap();
    let mut attached = Box::pin(run.attach());
    // The submitter renews the lease while it stages.
    let mut record = Lease::new(RUN.parse().unwrap(), "greet", "hype-owner-there", TERM);
    for _ in 0..6 {
        record.renewals += 1;
        run.stage.put(&lease, record.to_bytes().unwrap().into()).await.unwrap();
        let ended = tokio::time::timeout(TERM / 3, &mut attached).await;
        assert!(ended.is_err(), "{ended:?}");
    }
    record.detached = true;
    record.renewals += 1;
    run.stage.put(&lease, record.to_bytes().unwrap().into()).await.unwrap();
    run.stage.put(&name, manifest).await.unwrap();
    run.end(true).await;
    assert_eq!(attached.await.unwrap(), "hello you");
    assert_eq!(run.remaining().await, (0, 0, 0));
}

/// The run is kept for a program that can read its objects, whichever of them is read first.
#[tokio::test(flavor = "multi_thread")]
async fn attacher_of_an_older_version_keeps_the_run() {
    let run = Detached::new(true).await;
    run.end(true).await;
    let name = names::outcome(RUN);
    let value = codec::to_vec(&"hello you").unwrap();
    let end = End::Value(Payload::Inline(value.into()));
    let mut outcome = Outcome::new(RUN.parse().unwrap(), 1, end, Statistics::default());
    (outcome.format, outcome.hype) = (9, "7.1.0".into());
    run.stage.put(&name, outcome.to_bytes().unwrap().into()).await.unwrap();
    let mut lease =
        Lease::new(RUN.parse().unwrap(), "greet", "hype-owner-gone", Duration::from_secs(60));
    lease.detached = true;
    for newer_lease in [false, true] {
        if newer_lease {
            (lease.format, lease.hype) = (9, "7.1.0".into());
        }
        run.stage.put(&names::lease(RUN), lease.to_bytes().unwrap().into()).await.unwrap();
        let before = run.remaining().await;
        let error = run.attach().await.unwrap_err();
        assert_ne!(error.kind(), ErrorKind::Failed, "{error:?}");
        let report = error.report();
        assert!(report.contains("7.1.0 or later"), "{report}");
        assert!(report.contains("the run is as it was"), "{report}");
        assert_eq!(run.remaining().await, before, "{report}");
    }
}
