//! Compares closures with bare containers of the same image, alternately on one daemon.
//!
//! ```sh
//! docker/build amd64
//! tests/end-to-end/with-docker sh -c '
//!     docker load --input target/images/hype-0.1.0-amd64.tar
//!     HYPE_IMAGE=spotify/hype:0.1.0 cargo run -p benches --features remote --example docker_speed'
//! ```
//!
//! A bare container is `docker run --rm IMAGE --help`. The time of a closure is that of `submit` with everything
//! staged.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "the program prints its results")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hype::{RunEnvironment, Submitter};
use test_guests::values::greet;

/// The number of measurements of each.
const ROUNDS: usize = 40;

#[tokio::main]
async fn main() {
    conformance::build_guests();
    let image = std::env::var("HYPE_IMAGE").unwrap();
    let submitter = Submitter::docker().unwrap();
    submit(&submitter).await;
    bare(&image);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(bare(&image));
        ours.push(submit(&submitter).await);
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("hype {ours:.3?}, docker run --rm {theirs:.3?}, ratio {ratio:.2} (goal 1.15)");
    submitter.close().await.unwrap();
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

/// Returns the duration of a container that only prints its help.
fn bare(image: &str) -> Duration {
    let started = Instant::now();
    let mut run = Command::new("docker");
    run.args(["run", "--rm", image, "--help"]).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(run.status().unwrap().success());
    started.elapsed()
}
