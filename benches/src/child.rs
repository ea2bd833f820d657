//! Runs measurements of memory in a separate process.

use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::{bytes, calls, guests, map, peers, submit};

/// The argument that makes this program run one measurement and print its result as JSON.
pub(crate) const FLAG: &str = "--measure";

/// Runs the measurement `name` in a new process and returns its result.
pub(crate) fn spawn(name: &str, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
    spawn_with(name, arguments, &[])
}

/// Runs the measurement `name` in a new process with additional environment variables, and returns its result.
pub(crate) fn spawn_with(
    name: &str,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> anyhow::Result<serde_json::Value> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([FLAG, name])
        .args(arguments)
        .envs(variables.iter().copied())
        .stderr(Stdio::inherit());
    let output = command.output().context("cannot start this program again")?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs the measurement `name` in this process and prints its result.
#[expect(clippy::print_stdout, reason = "the parent process reads it")]
pub(crate) fn run(name: &str, arguments: &[String]) -> anyhow::Result<()> {
    let result = match (name, arguments) {
        ("calls", [component, executor, count]) => {
            calls::measure_here(component.as_ref(), executor, count.parse()?)?
        }
        ("replacement", [component]) => calls::measure_replacement(component.as_ref())?,
        ("submit", [count]) => submit::measure_here(count.parse()?)?,
        ("map", []) => map::measure_here()?,
        ("memory", [items]) => peers::measure_memory_here(items.parse()?)?,
        ("peers", [stage, cores]) => peers::measure_here(stage, cores.parse()?)?,
        ("guest", [directory, feature]) => guests::build_here(directory.as_ref(), feature)?,
        ("bytes", [component, kind]) => bytes::measure_here(component.as_ref(), kind)?,
        _ => bail!("there is no measurement `{name}`"),
    };
    println!("{result}");
    Ok(())
}
