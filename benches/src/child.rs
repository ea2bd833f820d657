//! Measurements that need a process of their own, since they tell its memory.

use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::{bytes, calls};

/// The argument that makes this program measure one thing and tell it as JSON.
pub(crate) const FLAG: &str = "--measure";

/// Measures what is called `name` in a process of its own.
pub(crate) fn ask(name: &str, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([FLAG, name]).args(arguments).stderr(Stdio::inherit());
    let output = command.output().context("cannot start this program again")?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Measures what is called `name` here.
#[expect(clippy::print_stdout, reason = "the asking process reads it")]
pub(crate) fn answer(name: &str, arguments: &[String]) -> anyhow::Result<()> {
    let answer = match (name, arguments) {
        ("calls", [component, executor, count]) => {
            calls::in_this_process(component.as_ref(), executor, count.parse()?)?
        }
        ("bytes", [component, kind]) => bytes::in_this_process(component.as_ref(), kind)?,
        _ => bail!("nothing called `{name}` can be measured"),
    };
    println!("{answer}");
    Ok(())
}
