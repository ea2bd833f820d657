//! A trivial closure by `hype-run` as a process of its own, against `wasmtime run`.

use std::process::Command;

use anyhow::Context;

use crate::alternate::alternate;
use crate::ours::Ours;
use crate::staged::{Staged, argument, runtime};
use crate::table::Row;
use crate::{peers, process};

const ROUNDS: usize = 60;

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let hype_run = ours.hype_run()?;
    let wasmtime = peers::wasmtime(ours)?;
    let program = peers::precompiled(ours, &peers::hello(ours)?)?;
    let runtime = runtime()?;
    let staged = runtime.block_on(Staged::new(&ours.hello))?;
    let arguments = argument("hello".to_owned())?;
    // A run has one outcome, so each start is a run of its own. To stage it isn't part of its start.
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
            process::to_the_end(&mut start(&hype_run, request))
        },
        || {
            let mut command = Command::new(&wasmtime);
            command.args(["run", "--allow-precompiled"]).arg(&program).arg("hello");
            process::to_the_end(&mut command)
        },
    )?;
    Ok(vec![
        Row::times("hype-run, trivial closure: median", ours.median(), peer.median(), Some(1.2)),
        Row::times("hype-run, trivial closure: least", ours.least(), peer.least(), Some(1.2)),
    ])
}

/// `hype-run` for `request`.
pub(crate) fn start(hype_run: &std::path::Path, request: &hype_run::Request) -> Command {
    let mut command = Command::new(hype_run);
    command.arg(&request.manifest_url);
    if let Some(digest) = request.digest {
        command.args(["--digest", &digest.to_string()]);
    }
    command
}
