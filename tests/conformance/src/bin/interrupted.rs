//! A program that tests interrupt while its closure waits: `interrupted MODE DIRECTORY`.
//!
//! Everything that it creates is below the directory.

#![expect(clippy::unwrap_used, reason = "a test's program fails by panicking")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use conformance::overridden::{Overridden, RunnerOverrides};
use futures::future::BoxFuture;
use hype::__internal::submitter_with_lease_term;
use hype::run::Status;
use hype::runner::{Attempt, Completion, Description, Runner};
use hype::{Closure, LocalRunner, RunEnvironment, Stage, Submitter, VolumeRequest};
use test_guests::ends::sleep;
use test_guests::surroundings::write_all_then_wait;

fn main() -> ExitCode {
    match mode().as_str() {
        "async" => in_async_main(),
        "task" => in_a_task(),
        "plain" | "stuck" => in_plain_main(),
        "detached" => detached(),
        "late" => detached_at_the_end(),
        "attach" => attached(),
        mode => panic!("unknown mode {mode}"),
    }
}

#[hype::main]
async fn in_async_main() -> hype::Result<()> {
    run(submitter()?).await
}

/// `interrupted detached DIRECTORY [SECONDS]`: detaches a run that lasts longer than several lease terms.
#[hype::main]
async fn detached() -> hype::Result<()> {
    let submitter = submitter()?;
    let seconds = std::env::args().nth(3).map_or(2, |seconds| seconds.parse().unwrap());
    let run = submitter.spawn(sleep(seconds), &RunEnvironment::new());
    while run.status() == Status::Staging {
        tokio::task::yield_now().await;
    }
    run.detach().await?;
    eprintln!("detached");
    std::future::pending().await
}

/// Ends while its run is being detached, on a runner whose runs outlive the program.
#[hype::main]
async fn detached_at_the_end() -> hype::Result<()> {
    let run = submitter()?.spawn(sleep(0), &RunEnvironment::new());
    drop(run.detach());
    Ok(())
}

/// `interrupted attach DIRECTORY RUN`: waits for a run of another process.
#[hype::main]
async fn attached() -> hype::Result<()> {
    let run = submitter()?.attach::<()>(&std::env::args().nth(3).unwrap());
    while run.status() == Status::Staging {
        tokio::task::yield_now().await;
    }
    eprintln!("attached");
    run.wait().await
}

/// Moves the run to another task than `main`'s.
#[hype::main]
async fn in_a_task() -> hype::Result<()> {
    tokio::spawn(run(submitter()?)).await.unwrap()
}

#[hype::main]
fn in_plain_main() -> hype::Result<()> {
    let submitter = hype::blocking::Submitter::from(submitter()?);
    submitter.submit(write_then_wait(), &environment())
}

async fn run(submitter: Submitter) -> hype::Result<()> {
    submitter.submit(write_then_wait(), &environment()).await
}

fn write_then_wait() -> Closure<()> {
    let paths = ["/transient/word", "/persistent/word"].map(str::to_owned);
    write_all_then_wait(paths.into(), "word".into(), "waiting".into())
}

fn mode() -> String {
    std::env::args().nth(1).unwrap()
}

fn directory() -> PathBuf {
    std::env::args_os().nth(2).unwrap().into()
}

fn submitter() -> hype::Result<Submitter> {
    let mut runner = LocalRunner::new()?.with_volumes(directory().join("volumes"))?;
    if mode() != "detached" {
        // The tests look for the run in the stage.
        runner = runner.with_staged_runs()?;
    }
    let stage = Stage::in_directory(&directory().join("stage"))?;
    match mode().as_str() {
        "stuck" => return Submitter::new(stage, Overridden(StuckCleanup(runner))),
        "late" => return Submitter::new(stage, Overridden(Outliving(runner))),
        _ => {}
    }
    submitter_with_lease_term(stage, runner, Duration::from_millis(500))
}

fn environment() -> RunEnvironment {
    let transient = VolumeRequest::transient("local-disk", "10Mi");
    let persistent = VolumeRequest::persistent("kept", "local-disk", "10Mi");
    RunEnvironment::new()
        .with_mount(transient.mount_read_write("/transient"))
        .with_mount(persistent.mount_read_write("/persistent"))
}

/// A local runner whose cleanup never finishes.
#[derive(Debug)]
struct StuckCleanup(LocalRunner);

impl RunnerOverrides for StuckCleanup {
    fn inner(&self) -> &dyn Runner {
        &self.0
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, hype::Result<Completion>> {
        attempt.cleanup.register("the stuck resource", async {
            eprintln!("stuck");
            std::future::pending().await
        });
        self.0.run(attempt)
    }
}

/// A runner that reports that its runs outlive this program, each once the file `handover` exists.
#[derive(Debug)]
struct Outliving(LocalRunner);

impl RunnerOverrides for Outliving {
    fn inner(&self) -> &dyn Runner {
        &self.0
    }

    fn description(&self) -> Description {
        Description { location: "elsewhere".to_owned(), outlives_program: true }
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, hype::Result<Completion>> {
        Box::pin(async move {
            while !directory().join("handover").exists() {
                tokio::task::yield_now().await;
            }
            attempt.handover.done();
            std::future::pending().await
        })
    }
}
