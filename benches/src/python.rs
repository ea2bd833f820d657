//! Benchmark `python`: the time from the start of `hype-run` and of `wasmtime run` until a guest in Python is entered.
//! The guest prints a line then. Its machine code is large.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use hype_run::CodeKind;

use crate::alternate::alternate;
use crate::install::{componentize_py, is_outdated, run};
use crate::ours::Ours;
use crate::staged::{Staged, argument, runtime};
use crate::start::start;
use crate::table::{Goal, Row, milliseconds};
use crate::{install, process};

const ROUNDS: usize = 30;

/// The worlds of the components, each with a file name: that of hype, and one without hype's imports for the peer.
const CLOSURES: (&str, &str) = ("spotify:hype/closures@0.1.0", "python-closures.wasm");
const PEER: (&str, &str) = ("bench:peer/peer", "python-peer.wasm");

/// The maximum time until the guest is entered, in seconds.
const MAX_ENTRY_TIME: f64 = 0.025;

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let (closures, peer) =
        (component(ours, CLOSURES.0, CLOSURES.1)?, component(ours, PEER.0, PEER.1)?);
    let runtime = runtime()?;
    runtime.block_on(check(&closures))?;
    let hype_run = ours.hype_run()?;
    let wasmtime = install::wasmtime(ours)?;
    let code = install::precompiled(ours, &peer)?;
    let staged = runtime.block_on(Staged::with_code(&closures, CodeKind::Unchecked))?;
    let arguments = argument("you".to_owned())?;
    let call = format!("call(\"greet\", {arguments:?})");
    let mut number = 0;
    let (ours, peer) = alternate(
        ROUNDS,
        || {
            number += 1;
            let run_id = format!("run-{number}");
            let request = runtime.block_on(staged.run(&run_id, "greet", arguments.clone()))?;
            process::time_to_first_byte(&mut start(&hype_run, &request))
        },
        || {
            let mut command = Command::new(&wasmtime);
            command.args(["run", "--allow-precompiled", "--invoke", &call]).arg(&code);
            process::time_to_first_byte(&mut command)
        },
    )?;
    let row = |statistic: &str, ours: f64, peer: f64| Row {
        goal: Goal::Target(
            format!("under {}", milliseconds(MAX_ENTRY_TIME)),
            ours < MAX_ENTRY_TIME,
        ),
        ..Row::compare(format!("Python, start to guest entry: {statistic}"), ours, peer, None)
    };
    Ok(vec![row("median", ours.median(), peer.median()), row("minimum", ours.min(), peer.min())])
}

/// Returns the path of the component of `python/` in `world`, and builds it if it is out of date.
fn component(ours: &Ours, world: &str, file: &str) -> anyhow::Result<PathBuf> {
    let (sources, wit) = (ours.root.join("benches/python"), ours.root.join("wit"));
    let component = ours.tools.join(file);
    let files = ["app.py", "messagepack.py", "peer/peer.wit"].map(|file| sources.join(file));
    let interface = wit.join("closure.wit");
    if is_outdated(&component, &[&files[0], &files[1], &files[2], &interface])? {
        let mut command = Command::new(componentize_py(ours)?);
        command.arg("-d").arg(&wit).arg("-d").arg(sources.join("peer")).args(["-w", world]);
        command.args(["componentize", "app", "-p"]).arg(&sources).arg("-o").arg(&component);
        run(&mut command)?;
    }
    Ok(component)
}

/// Checks the values of the functions in Python, submitted as any closure.
async fn check(component: &Path) -> anyhow::Result<()> {
    use std::collections::BTreeMap;

    let directory = tempfile::tempdir()?;
    let stage = hype::Stage::in_directory(directory.path())?;
    let submitter = hype::Submitter::new(stage, hype::LocalRunner::new()?)?;
    let (component, env) = (hype::Component::open(component)?, hype::RunEnvironment::new());
    let count = component.function("count")?.bind(("to be or not to be",));
    let counts: BTreeMap<String, u32> = submitter.submit(count, &env).await?;
    let expected = [("be", 2), ("not", 1), ("or", 1), ("to", 2)];
    ensure!(counts == expected.map(|(word, count)| (word.to_owned(), count)).into(), "{counts:?}");
    let unknown = component.function("sing")?.bind::<()>(());
    let Err(error) = submitter.submit(unknown, &env).await else {
        anyhow::bail!("an unknown function returned a value");
    };
    ensure!(error.to_string().contains("has no function `sing`"), "{error}");
    Ok(())
}
