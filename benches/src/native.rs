//! The native side of the benchmark `compute`: the program in `native/`, compiled as closures are.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use cargo_hype::cargo::Cargo;
use hype_run::Platform;
use hype_wire::Digest;

use crate::ours::Ours;

/// A running process of the program.
pub(crate) struct Native {
    process: Child,
    lines: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Native {
    /// Builds the program, and starts it.
    pub(crate) fn start(ours: &Ours) -> anyhow::Result<Self> {
        let mut process = Command::new(build(ours)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .current_dir(&ours.root)
            .spawn()?;
        let lines = process.stdin.take().context("no standard input")?;
        let answers = BufReader::new(process.stdout.take().context("no standard output")?);
        Ok(Self { process, lines, answers })
    }

    /// Calls a function natively. Returns the processor time and the digest of the value. `line` has the name of the function and its
    /// arguments.
    pub(crate) fn call(&mut self, line: &str) -> anyhow::Result<(Duration, Digest)> {
        writeln!(self.lines, "{line}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let (nanos, digest) = answer.trim_end().split_once(' ').context("there is no answer")?;
        let digest = digest.parse().context("the answer has no digest")?;
        Ok((Duration::from_nanos(nanos.parse()?), digest))
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Builds the program with the optimizations that closures have, for the processor that Cranelift compiles them for.
/// Returns its path.
fn build(ours: &Ours) -> anyhow::Result<std::path::PathBuf> {
    let arguments = ["build", "--release", "-p", "bench-native", "--target-dir"];
    let mut arguments: Vec<OsString> = arguments.map(OsString::from).into();
    // Other flags than those of the workspace would compile it again in its directory.
    arguments.push(ours.tools.join("native").into());
    let variables = [
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
        ("CARGO_PROFILE_RELEASE_LTO", "fat"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
        ("RUSTFLAGS", processor()?),
    ];
    let variables = variables.map(|(name, value)| (name, Some(value.into()))).into();
    let built = Cargo { directory: &ours.root, arguments, variables }.build()?;
    let artifacts = built.artifacts().context("the native program doesn't compile")?;
    let program = artifacts.into_iter().rev().find_map(|artifact| artifact.executable);
    Ok(program.context("cargo has built no program")?.into())
}

/// Returns the compiler's flag for the platform of this machine.
fn processor() -> anyhow::Result<&'static str> {
    Ok(match Platform::here() {
        Some(Platform::X86_64V3) => "-Ctarget-cpu=x86-64-v3",
        Some(Platform::X86_64) => "-Ctarget-cpu=x86-64-v2",
        Some(Platform::Aarch64) => "-Ctarget-cpu=generic",
        None => bail!("hype doesn't support this platform"),
    })
}
