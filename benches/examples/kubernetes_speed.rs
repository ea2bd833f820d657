//! Compares closures with bare Pods of the same image, alternately on one cluster.
//!
//! ```sh
//! docker/build amd64
//! cargo build --release -p hype-run -p benches -p test-storage-server --features benches/remote --bins --examples
//! HYPE_RUN=$PWD/target/images/linux-amd64/usr/local/bin/hype-run \
//! HYPE_STORAGE_SERVER=$PWD/target/release/test-storage-server \
//!     tests/end-to-end/kubernetes target/release/examples/kubernetes_speed
//! ```
//!
//! A bare Pod runs `hype-run --help`. Its time is from the request that creates it until a watch reports that it
//! succeeded. The time of a closure is that of `submit` of an optimized component, with everything staged. The program
//! also reports the CPU time of this machine, the only node of the cluster, until no Pod is left, and the times of a
//! Pod with the security context of hype's Pods.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "the program prints its results")]

use std::path::Path;
use std::time::{Duration, Instant};

use cargo_hype::build::build_all;
use cargo_hype::cli::Selection;
use cargo_hype::project::Project;
use futures::StreamExt;
use futures::future::join_all;
use hype::component::ComponentFunction;
use hype::{Component, RunEnvironment, Submitter};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

/// The number of measurements of one Pod.
const ONE: usize = 15;

/// The number of measurements of `MANY` Pods.
const FIFTY: usize = 7;

/// The number of concurrent Pods.
const MANY: usize = 50;

#[tokio::main]
async fn main() {
    let hello = hello();
    let pods: Api<Pod> = Api::default_namespaced(Client::try_default().await.unwrap());
    let submitter = Submitter::kubernetes().unwrap();
    submit(&submitter, &hello).await;
    bare(&pods, "warm", &json!({})).await;
    let hardened = json!({"runAsUser": 65532, "runAsGroup": 65532, "runAsNonRoot": true,
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}});
    for (what, rounds, count) in [("one", ONE, 1), ("fifty", FIFTY, MANY)] {
        let (mut ours, mut theirs, mut hard) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds {
            for (kind, rights, times) in
                [("bare", &json!({}), &mut theirs), ("hardened", &hardened, &mut hard)]
            {
                let names: Vec<_> =
                    (0..count).map(|it| format!("{kind}-{what}-{round}-{it}")).collect();
                let all = names.iter().map(|name| bare(&pods, name, rights));
                times.push(timed(&pods, join_all(all)).await);
            }
            let all = (0..count).map(|_| submit(&submitter, &hello));
            ours.push(timed(&pods, join_all(all)).await);
        }
        let [ours, theirs, hard] = [ours, theirs, hard].map(medians);
        report(what, "hype", ours, theirs);
        report(what, "hardened", hard, theirs);
    }
    submitter.close().await.unwrap();
}

/// The wall-clock time until the work is done, and the CPU time of all processors until no Pod is left.
type Times = [Duration; 2];

async fn timed(pods: &Api<Pod>, work: impl Future) -> Times {
    let (started, before) = (Instant::now(), cpu_time());
    work.await;
    let took = started.elapsed();
    wait_until_no_pod_is_left(pods).await;
    [took, cpu_time() - before]
}

async fn wait_until_no_pod_is_left(pods: &Api<Pod>) {
    loop {
        let left = pods.list(&ListParams::default()).await.unwrap();
        if left.items.is_empty() {
            return;
        }
        let version = left.metadata.resource_version.unwrap();
        let mut events = pods.watch(&WatchParams::default(), &version).await.unwrap().boxed();
        events.next().await;
    }
}

/// Returns the CPU time of all processors of this machine since it was booted.
fn cpu_time() -> Duration {
    let all = std::fs::read_to_string("/proc/stat").unwrap();
    let numbers = all.lines().next().unwrap().split_whitespace().skip(1);
    let numbers: Vec<u64> = numbers.map(|number| number.parse().unwrap()).collect();
    // Skips `idle` and `iowait`, the fourth and fifth.
    let ticks: u64 = numbers[..3].iter().chain(&numbers[5..7]).sum();
    Duration::from_millis(ticks * 10)
}

fn report(what: &str, name: &str, ours: Times, theirs: Times) {
    for (index, clock) in ["wall", "processors"].into_iter().enumerate() {
        let (ours, theirs) = (ours[index], theirs[index]);
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!("{what}, {clock}: {name} {ours:.3?}, bare {theirs:.3?}, ratio {ratio:.2}");
    }
}

fn medians(times: Vec<Times>) -> Times {
    [0, 1].map(|clock| {
        let mut times: Vec<_> = times.iter().map(|times| times[clock]).collect();
        times.sort_unstable();
        times[times.len() / 2]
    })
}

/// Builds the example `hello` with the profile `release`, and returns its function.
fn hello() -> ComponentFunction {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let project = Project::at(&root).unwrap();
    let packages = project.select(&["hello".to_owned()]).unwrap();
    let optimized = Selection { release: true, ..Selection::default() };
    build_all(&project, &packages, &optimized).unwrap();
    let component = Component::open(project.components().join("hello.wasm")).unwrap();
    component.only_function().unwrap()
}

async fn submit(submitter: &Submitter, hello: &ComponentFunction) {
    let closure = hello.clone().bind::<String>(("hello",));
    let greeting = submitter.submit(closure, &RunEnvironment::new()).await;
    assert_eq!(greeting.unwrap(), "hello world!");
}

/// Creates a Pod that only prints the help, and waits until it has succeeded. Deletes it in the background.
async fn bare(pods: &Api<Pod>, name: &str, rights: &Value) {
    let pod = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"com.spotify.hype/run": "bare"}},
        "spec": {"restartPolicy": "Never", "hostNetwork": true, "containers": [
            {"name": "bare", "image": std::env::var("HYPE_IMAGE").unwrap(), "args": ["--help"],
             "securityContext": rights}]},
    }));
    let created = pods.create(&PostParams::default(), &pod.unwrap()).await.unwrap();
    let version = created.metadata.resource_version.unwrap();
    let params = WatchParams::default().fields(&format!("metadata.name={name}"));
    let mut events = pods.watch(&params, &version).await.unwrap().boxed();
    while let Some(event) = events.next().await {
        if let WatchEvent::Modified(pod) = event.unwrap()
            && pod.status.and_then(|status| status.phase).as_deref() == Some("Succeeded")
        {
            break;
        }
    }
    let (pods, name) = (pods.clone(), name.to_owned());
    tokio::spawn(async move {
        let immediately = DeleteParams::default().grace_period(0);
        pods.delete(&name, &immediately).await.unwrap();
    });
}
