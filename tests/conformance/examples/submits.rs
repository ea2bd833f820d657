//! A user's program that submits closures to the test cluster: `submits look` or `submits wait DIRECTORY`.
//!
//! With `HYPE_TEST_GKE` the cluster is found through Google's API; `HYPE_TEST_STAGE_SECRET` names the stage's secret.

#![expect(clippy::print_stdout, reason = "tests read its standard output")]

use std::env::{args, var};

use hype::{HostDirectory, RunEnvironment, Submitter};
use test_guests::surroundings::{list, say_then_wait_for, variables};

/// The path at which the stage's secret is mounted.
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
    // The mounted directory belongs to root.
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
