//! A component in Python, whose machine code is large: by `hype-run` and by `wasmtime run`, from
//! the start of the process until the guest is entered, which then says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use crate::alternate::alternate;
use crate::ours::Ours;
use crate::peers::{componentize_py, is_older, run};
use crate::staged::{Staged, argument, runtime};
use crate::start::start;
use crate::table::{Goal, Row, milliseconds};
use crate::{peers, process};

const ROUNDS: usize = 30;

/// The worlds that components are made for, each with the name of its file: that of hype, and one for a
/// runtime that offers nothing of hype's.
const CLOSURES: (&str, &str) = ("spotify:hype/closures@0.1.0", "python-closures.wasm");
const PEER: (&str, &str) = ("bench:peer/peer", "python-peer.wasm");

/// The goal, in seconds.
const ENTRY: f64 = 0.040;

pub(crate) fn measure(ours: &Ours) -> anyhow::Result<Vec<Row>> {
    let (component, peer) = (component(ours, CLOSURES)?, component(ours, PEER)?);
    let runtime = runtime()?;
    runtime.block_on(check(&component))?;
    let hype_run = ours.hype_run()?;
    let wasmtime = peers::wasmtime(ours)?;
    let code = peers::precompiled(ours, &peer)?;
    let staged = runtime.block_on(Staged::new(&component))?;
    let arguments = argument("you".to_owned())?;
    let call = format!("call(\"greet\", {arguments:?})");
    let mut number = 0;
    let (ours, peer) = alternate(
        ROUNDS,
        || {
            number += 1;
            let run_id = format!("run-{number}");
            let request = runtime.block_on(staged.run(&run_id, "greet", arguments.clone()))?;
            process::to_the_first_byte(&mut start(&hype_run, &request))
        },
        || {
            let mut command = Command::new(&wasmtime);
            command.args(["run", "--allow-precompiled", "--invoke", &call]).arg(&code);
            process::to_the_first_byte(&mut command)
        },
    )?;
    let row = |what: &str, ours: f64, peer: f64| Row {
        goal: Goal::Is(format!("under {}", milliseconds(ENTRY)), ours < ENTRY),
        ..Row::times(format!("Python, start to guest entry: {what}"), ours, peer, None)
    };
    Ok(vec![row("median", ours.median(), peer.median()), row("least", ours.least(), peer.least())])
}

/// The component of `python/` in `world`, built unless it is there.
fn component(ours: &Ours, (world, file): (&str, &str)) -> anyhow::Result<PathBuf> {
    let (sources, wit) = (ours.root.join("benches/python"), ours.root.join("wit"));
    let component = ours.tools.join(file);
    let files = ["app.py", "messagepack.py", "peer/peer.wit"].map(|file| sources.join(file));
    let interface = wit.join("closure.wit");
    if is_older(&component, &[&files[0], &files[1], &files[2], &interface])? {
        let mut command = Command::new(componentize_py(ours)?);
        command.arg("-d").arg(&wit).arg("-d").arg(sources.join("peer")).args(["-w", world]);
        command.args(["componentize", "app", "-p"]).arg(&sources).arg("-o").arg(&component);
        run(&mut command)?;
    }
    Ok(component)
}

/// Makes sure that functions in Python give what they should, by the way of every closure.
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
        anyhow::bail!("an unknown function gave a value");
    };
    ensure!(error.to_string().contains("has no function `sing`"), "{error}");
    Ok(())
}
