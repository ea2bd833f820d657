//! A program that somebody wrote to submit closures to the cluster of the tests, which look at it from
//! outside: `submits look` or `submits wait DIRECTORY`.
//!
//! With `HYPE_TEST_GKE` the cluster is one of Google's; `HYPE_TEST_STAGE_SECRET` names the stage's secret.

#![expect(clippy::print_stdout, reason = "who started it reads there")]

use std::env::{args, var};

use hype::{HostDirectory, RunEnvironment, Submitter};
use test_guests::surroundings::{list, say_then_wait_for, variables};

/// Where the stage's secret stands.
const SECRET: &str = "/etc/stage";

#[hype::main]
async fn main() -> hype::Result<()> {
    let mut submitter = match var("HYPE_TEST_GKE") {
        Ok(_) => {
            let staging = var("HYPE_STAGING").unwrap_or_default();
            Submitter::gke("my-project", "europe-west1-b", "closures", &staging).await?
        }
        Err(_) => Submitter::kubernetes()?,
    };
    if let Ok(name) = var("HYPE_TEST_STAGE_SECRET") {
        submitter = submitter.with_stage_secret(name, SECRET);
    }
    // The directory that it waits for belongs to root.
    let env = RunEnvironment::new().with_namespace("closures").with_run_as(0, 0);
    match args().nth(2) {
        None => {
            let names = submitter.submit(variables(), &env).await?;
            println!("{:?}", names.keys().collect::<Vec<_>>());
            let seen = submitter.submit(list(SECRET.into()), &env).await;
            println!("{}", seen.map_or_else(|error| error.to_string(), |seen| format!("{seen:?}")));
        }
        Some(directory) => {
            let env = env.with_mount(HostDirectory::new(directory).mount_read_only("/signal"));
            let run =
                submitter.spawn(say_then_wait_for("waiting".into(), "/signal/go".into()), &env);
            println!("{}", run.id());
            println!("{}", run.wait().await?);
        }
    }
    Ok(())
}
