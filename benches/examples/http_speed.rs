//! Compares the duration of a GET request in a closure with that on a bare socket in this process:
//! `cargo run --release -p benches --features remote --example http_speed`. Each request opens a new connection to a
//! server on this machine.

#![expect(clippy::print_stdout, reason = "the program prints its results")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use conformance::loopback::Loopback;
use hype::{RunEnvironment, Submitter};
use test_guests::http::time;

const ROUNDS: u32 = 200;
const TURNS: u32 = 5;

#[hype::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    conformance::build_guests();
    let server = Loopback::replying("200 OK", "hello\n");
    let env = RunEnvironment::new().allow_http_private(server.authority());
    let stage = tempfile::tempdir()?;
    let submitter = Submitter::local_with(&format!("file://{}", stage.path().display()))?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.extend(submitter.submit(time(server.url("/"), ROUNDS), &env).await?);
        for _ in 0..ROUNDS {
            bare.push(bare_get(&server.authority())?);
        }
    }
    let (ours, bare) = (median(ours), median(bare));
    println!(
        "a GET by a closure {ours:?}, on a bare socket {bare:?}: {:?} more",
        ours.saturating_sub(bare)
    );
    Ok(())
}

fn bare_get(authority: &str) -> std::io::Result<Duration> {
    let start = Instant::now();
    let mut stream = TcpStream::connect(authority)?;
    write!(stream, "GET / HTTP/1.1\r\nhost: {authority}\r\n\r\n")?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
