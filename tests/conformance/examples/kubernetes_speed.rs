//! What hype adds to a Pod: closures beside bare Pods of the same image, in turn on one cluster.
//!
//! ```sh
//! docker/build amd64
//! cargo build --release -p hype-run -p conformance -p test-storage-server --bins --examples
//! HYPE_RUN=$PWD/target/images/linux-amd64/usr/local/bin/hype-run \
//! HYPE_STORAGE_SERVER=$PWD/target/release/test-storage-server \
//!     tests/end-to-end/kubernetes target/release/examples/kubernetes_speed
//! ```
//!
//! A bare Pod's `hype-run` prints its help. Its time is from the request that creates it until a watch
//! sees that it succeeded; a closure's is that of `submit`, with everything staged.

#![expect(clippy::unwrap_used, reason = "what can't be measured has no figure")]
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::join_all;
use hype::{RunEnvironment, Submitter};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::json;
use test_guests::values::greet;

/// How often each is measured.
const ROUNDS: usize = 15;

/// How many are there at once.
const MANY: usize = 50;

#[tokio::main]
async fn main() {
    conformance::build_guests();
    let pods: Api<Pod> = Api::default_namespaced(Client::try_default().await.unwrap());
    let submitter = Submitter::kubernetes().unwrap();
    submit(&submitter).await;
    bare(&pods, "warm").await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        theirs.push(bare(&pods, &format!("bare-{round}")).await);
        ours.push(submit(&submitter).await);
    }
    report("one", median(&mut ours), median(&mut theirs));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..5 {
        let started = Instant::now();
        let names: Vec<_> = (0..MANY).map(|it| format!("many-{round}-{it}")).collect();
        join_all(names.iter().map(|name| bare(&pods, name))).await;
        theirs.push(started.elapsed());
        let started = Instant::now();
        join_all((0..MANY).map(|_| submit(&submitter))).await;
        ours.push(started.elapsed());
    }
    report("fifty", median(&mut ours), median(&mut theirs));
    submitter.close().await.unwrap();
}

fn report(what: &str, ours: Duration, theirs: Duration) {
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("{what}: hype {ours:.3?}, bare {theirs:.3?}, ratio {ratio:.2} (goal 1.15)");
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn submit(submitter: &Submitter) -> Duration {
    let started = Instant::now();
    let greeting = submitter.submit(greet("you".into()), &RunEnvironment::new()).await;
    assert_eq!(greeting.unwrap(), "hello you");
    started.elapsed()
}

/// How long a Pod takes that does nothing. It is removed outside of that time.
async fn bare(pods: &Api<Pod>, name: &str) -> Duration {
    let pod = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"com.spotify.hype/run": "bare"}},
        "spec": {"restartPolicy": "Never", "hostNetwork": true, "containers": [
            {"name": "bare", "image": std::env::var("HYPE_IMAGE").unwrap(), "args": ["--help"]}]},
    }));
    let started = Instant::now();
    let made = pods.create(&PostParams::default(), &pod.unwrap()).await.unwrap();
    let version = made.metadata.resource_version.unwrap();
    let params = WatchParams::default().fields(&format!("metadata.name={name}"));
    let mut events = pods.watch(&params, &version).await.unwrap().boxed();
    while let Some(event) = events.next().await {
        if let WatchEvent::Modified(pod) = event.unwrap()
            && pod.status.and_then(|status| status.phase).as_deref() == Some("Succeeded")
        {
            break;
        }
    }
    let took = started.elapsed();
    let now = DeleteParams::default().grace_period(0);
    pods.delete(name, &now).await.unwrap();
    took
}
