//! What of ours is measured, built as users get it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use cargo_hype::build::build_all;
use cargo_hype::cargo::Cargo;
use cargo_hype::cli::Selection;
use cargo_hype::project::Project;

/// The programs and components that are measured, and where things are.
pub(crate) struct Ours {
    /// The root of the workspace.
    pub(crate) root: PathBuf,
    /// Where the peers are installed.
    pub(crate) tools: PathBuf,
    /// The command `hype-run`.
    pub(crate) hype_run: PathBuf,
    /// The component of the example `hello`.
    pub(crate) hello: PathBuf,
    /// The component of the functions in `closures/`.
    pub(crate) closures: PathBuf,
    /// The component of the example `thumbnails`.
    pub(crate) thumbnails: PathBuf,
}

impl Ours {
    /// Builds all of it optimized.
    pub(crate) fn build() -> anyhow::Result<Self> {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize()?;
        let project = Project::at(&root)?;
        let packages =
            project.select(&["hello", "bench-closures", "thumbnails"].map(str::to_owned))?;
        let selection = Selection { release: true, ..Selection::default() };
        build_all(&project, &packages, &selection)?;
        let components = project.components();
        let component = |name: &str| components.join(name).with_extension("wasm");
        Ok(Self {
            hype_run: hype_run(&root)?,
            tools: components.with_file_name("bench-tools"),
            hello: component("hello"),
            closures: component("bench-closures"),
            thumbnails: component("thumbnails"),
            root,
        })
    }
}

/// Built together with this program, so that both find one wasmtime compiled.
fn hype_run(root: &Path) -> anyhow::Result<PathBuf> {
    let build = ["build", "--release", "-p", "hype-run", "-p", "benches", "--bin", "hype-run"];
    let cargo = Cargo { directory: root, arguments: build.map(Into::into).into(), variable: None };
    let artifacts = cargo.build()?.artifacts().context("cargo build failed")?;
    let program = artifacts.into_iter().rev().find_map(|artifact| artifact.executable);
    program.map(Into::into).context("cargo made no program hype-run")
}
