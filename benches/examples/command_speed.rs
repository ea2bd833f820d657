//! Compares the duration of a command in a closure with that of `std::process` in this process:
//! `cargo run --release -p benches --features remote --example command_speed`.

#![expect(clippy::print_stdout, reason = "the program prints its results")]

use std::process::Command;
use std::time::{Duration, Instant};

use conformance::cases::commands::{command, granting};
use hype::Submitter;
use test_guests::process::time_commands;

const ROUNDS: u32 = 200;
const TURNS: u32 = 5;

#[hype::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    conformance::build_guests();
    let stage = tempfile::tempdir()?;
    let submitter = Submitter::local_with(&format!("file://{}", stage.path().display()))?;
    let env = granting(&["uname"]);
    let (mut ours, mut firsts, mut stds) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let mut times = submitter.submit(time_commands(command(&["uname"]), ROUNDS), &env).await?;
        // The first command also sets up the namespaces.
        firsts.push(times.remove(0));
        ours.extend(times);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            Command::new("uname").output()?;
            stds.push(start.elapsed());
        }
    }
    let (ours, first, stds) = (median(ours), median(firsts), median(stds));
    println!(
        "a command by a closure {ours:?}, its first {first:?}, by std {stds:?}: ratio {:.2}",
        ours.as_secs_f64() / stds.as_secs_f64()
    );
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
