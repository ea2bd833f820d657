//! The peers: installed when they are first needed, below the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::ours::Ours;

/// componentize-py's version; another one may make another component.
const COMPONENTIZE_PY: &str = "0.25.1";

/// What `wasmtime run` and `wasmtime compile` need, and no more: so it starts as fast as it can.
const FEATURES: &str = "run,compile,cranelift,component-model,parallel-compilation";

/// The command `wasmtime`, of the very version that hype-run is made of.
pub(crate) fn wasmtime(ours: &Ours) -> anyhow::Result<PathBuf> {
    let version = locked_version(&ours.root)?;
    let program = ours.tools.join("bin/wasmtime");
    let installed = Command::new(&program).arg("--version").output();
    let is_it = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.split_whitespace().nth(1) == Some(&version)
    };
    if installed.is_ok_and(|output| is_it(&output.stdout)) {
        return Ok(program);
    }
    let build = ours.tools.join("build");
    run(Command::new("cargo")
        .args(["install", "wasmtime-cli", "--locked", "--version", &version])
        .args(["--no-default-features", "--features", FEATURES, "--root"])
        .arg(&ours.tools)
        .arg("--target-dir")
        .arg(&build))?;
    std::fs::remove_dir_all(build)?;
    Ok(program)
}

/// The command `componentize-py`.
pub(crate) fn componentize_py(ours: &Ours) -> anyhow::Result<PathBuf> {
    let python = ours.tools.join("python");
    let program = python.join("bin/componentize-py");
    let installed = Command::new(&program).arg("--version").output();
    let is_it = |text: &[u8]| String::from_utf8_lossy(text).trim().ends_with(COMPONENTIZE_PY);
    if installed.is_ok_and(|output| is_it(&output.stdout)) {
        return Ok(program);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&python))?;
    let package = format!("componentize-py=={COMPONENTIZE_PY}");
    run(Command::new(python.join("bin/pip")).args(["install", "--quiet", &package]))?;
    Ok(program)
}

/// A component for `wasmtime run` that does what the closure of the example `hello` does.
pub(crate) fn hello(ours: &Ours) -> anyhow::Result<PathBuf> {
    let source = ours.root.join("benches/peer/hello.rs");
    let component = ours.tools.join("hello.wasm");
    if is_older(&component, &[&source])? {
        run(Command::new("rustup").args(["target", "add", "wasm32-wasip2"]))?;
        run(Command::new("rustc")
            .args(["--edition=2024", "--target", "wasm32-wasip2", "-O", "-o"])
            .arg(&component)
            .arg(&source))?;
    }
    Ok(component)
}

/// Machine code of `component` for `wasmtime run`, made unless it is there.
pub(crate) fn precompiled(ours: &Ours, component: &Path) -> anyhow::Result<PathBuf> {
    let code = component.with_extension("cwasm");
    if is_older(&code, &[component])? {
        run(Command::new(wasmtime(ours)?).arg("compile").arg(component).arg("-o").arg(&code))?;
    }
    Ok(code)
}

/// Whether `made` is older than one of `sources`, or not there.
pub(crate) fn is_older(made: &Path, sources: &[&Path]) -> anyhow::Result<bool> {
    let Ok(made) = made.metadata() else {
        return Ok(true);
    };
    for source in sources {
        let source =
            source.metadata().with_context(|| format!("cannot find {}", source.display()))?;
        if source.modified()? > made.modified()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs `command`, which must succeed. What it says goes to the standard error.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn locked_version(root: &Path) -> anyhow::Result<String> {
    let lock = std::fs::read_to_string(root.join("Cargo.lock"))?;
    let rest = lock.split_once("name = \"wasmtime\"\nversion = \"").context("no wasmtime")?.1;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}
