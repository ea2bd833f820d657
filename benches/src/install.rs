//! Installs the peers in the target directory, when they are first needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::ours::Ours;

/// The version of componentize-py, which affects the component.
const COMPONENTIZE_PY: &str = "0.25.1";

/// The features of `wasmtime run` and `wasmtime compile`, without others that would slow down the start.
const FEATURES: &str = "run,compile,cranelift,component-model,parallel-compilation";

/// Returns the path of the command `wasmtime`, in the version that hype-run uses.
pub(crate) fn wasmtime(ours: &Ours) -> anyhow::Result<PathBuf> {
    let version = locked_version(&ours.root)?;
    let program = ours.tools.join("bin/wasmtime");
    let installed = Command::new(&program).arg("--version").output();
    let is_version = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.split_whitespace().nth(1) == Some(&version)
    };
    if installed.is_ok_and(|output| is_version(&output.stdout)) {
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

/// Returns the path of the command `componentize-py`.
pub(crate) fn componentize_py(ours: &Ours) -> anyhow::Result<PathBuf> {
    let python = ours.tools.join("python");
    let program = python.join("bin/componentize-py");
    let installed = Command::new(&program).arg("--version").output();
    let is_version = |text: &[u8]| String::from_utf8_lossy(text).trim().ends_with(COMPONENTIZE_PY);
    if installed.is_ok_and(|output| is_version(&output.stdout)) {
        return Ok(program);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&python))?;
    let package = format!("componentize-py=={COMPONENTIZE_PY}");
    run(Command::new(python.join("bin/pip")).args(["install", "--quiet", &package]))?;
    Ok(program)
}

/// Builds a component for `wasmtime run` that does the same as the closure of the example `hello`.
pub(crate) fn hello(ours: &Ours) -> anyhow::Result<PathBuf> {
    let source = ours.root.join("benches/peers/hello.rs");
    let component = ours.tools.join("hello.wasm");
    if is_outdated(&component, &[&source])? {
        run(Command::new("rustup").args(["target", "add", "wasm32-wasip2"]))?;
        run(Command::new("rustc")
            .args(["--edition=2024", "--target", "wasm32-wasip2", "-O", "-o"])
            .arg(&component)
            .arg(&source))?;
    }
    Ok(component)
}

/// Returns the path of the machine code of `component` for `wasmtime run`, and compiles it if it is out of date.
pub(crate) fn precompiled(ours: &Ours, component: &Path) -> anyhow::Result<PathBuf> {
    let code = component.with_extension("cwasm");
    if is_outdated(&code, &[component])? {
        run(Command::new(wasmtime(ours)?).arg("compile").arg(component).arg("-o").arg(&code))?;
    }
    Ok(code)
}

/// Returns whether `output` is missing or older than one of `sources`.
pub(crate) fn is_outdated(output: &Path, sources: &[&Path]) -> anyhow::Result<bool> {
    let Ok(output) = output.metadata() else {
        return Ok(true);
    };
    for source in sources {
        let source =
            source.metadata().with_context(|| format!("cannot find {}", source.display()))?;
        if source.modified()? > output.modified()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs `command`, which must succeed. Its output goes to standard error.
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
