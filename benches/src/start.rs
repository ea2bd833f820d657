//! Benchmark `start`: a trivial closure in a process of `hype-run`, and in one of `wasmtime run`.

use std::process::Command;

use anyhow::Context;
use hype_run::CodeKind;

use crate::alternate::alternate;
use crate::ours::Ours;
use crate::staged::{Staged, argument, runtime};
use crate::table::Row;
use crate::{install, process};

const ROUNDS: usize = 60;

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let hype_run = ours.hype_run()?;
    let wasmtime = install::wasmtime(ours)?;
    let program = install::precompiled(ours, &install::hello(ours)?)?;
    let runtime = runtime()?;
    let staged = runtime.block_on(Staged::with_code(&ours.hello, CodeKind::Unchecked))?;
    let arguments = argument("hello".to_owned())?;
    // A run has one outcome, so each round needs a new run. Staging it is not measured.
    let mut requests = Vec::new();
    for number in 0..2 * ROUNDS {
        let run_id = format!("run-{number}");
        requests.push(runtime.block_on(staged.run(&run_id, "example", arguments.clone()))?);
    }
    let mut requests = requests.iter();
    let (ours, peer) = alternate(
        ROUNDS,
        || {
            let request = requests.next().context("fewer runs than rounds")?;
            process::time_to_exit(&mut start(&hype_run, request))
        },
        || {
            let mut command = Command::new(&wasmtime);
            command.args(["run", "--allow-precompiled"]).arg(&program).arg("hello");
            process::time_to_exit(&mut command)
        },
    )?;
    Ok(vec![
        Row::compare("hype-run, trivial closure: median", ours.median(), peer.median(), Some(1.05)),
        Row::compare("hype-run, trivial closure: minimum", ours.min(), peer.min(), Some(1.05)),
    ])
}

/// Returns the command that runs `request` with `hype-run`.
pub(crate) fn start(hype_run: &std::path::Path, request: &hype_run::RunRequest) -> Command {
    let mut command = Command::new(hype_run);
    command.arg("run").arg(&request.manifest_url);
    if let Some(digest) = request.digest {
        command.args(["--digest", &digest.to_string()]);
    }
    command
}
