//! Builds the measured programs and components of hype with the profile that users get.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use cargo_hype::build::build_all;
use cargo_hype::cli::Selection;
use cargo_hype::project::Project;

/// The paths of the measured programs and components.
pub(crate) struct Ours {
    /// The root of the workspace.
    pub(crate) root: PathBuf,
    /// The directory in which the peers are installed.
    pub(crate) tools: PathBuf,
    /// The component of the example `hello`.
    pub(crate) hello: PathBuf,
    /// The component of the functions in `closures/`.
    pub(crate) closures: PathBuf,
    /// The component of the example `thumbnails`.
    pub(crate) thumbnails: PathBuf,
}

impl Ours {
    /// Returns the root of the workspace.
    pub(crate) fn root() -> anyhow::Result<PathBuf> {
        Ok(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize()?)
    }

    /// Builds all components with the profile `release`.
    pub(crate) fn build() -> anyhow::Result<Self> {
        let root = Self::root()?;
        let project = Project::at(&root)?;
        let packages =
            project.select(&["hello", "bench-closures", "thumbnails"].map(str::to_owned))?;
        let selection = Selection { release: true, ..Selection::default() };
        build_all(&project, &packages, &selection)?;
        let components = project.components();
        let component = |name: &str| components.join(name).with_extension("wasm");
        Ok(Self {
            tools: components.with_file_name("bench-tools"),
            hello: component("hello"),
            closures: component("bench-closures"),
            thumbnails: component("thumbnails"),
            root,
        })
    }

    /// Builds the command `hype-run` as it is in the images, and returns its path.
    pub(crate) fn hype_run(&self) -> anyhow::Result<PathBuf> {
        let machine = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => bail!("there are no images for {other}"),
        };
        let mut build = Command::new(self.root.join("docker/hype-run"));
        let built = build.arg(machine).stderr(Stdio::inherit()).output()?;
        ensure!(built.status.success(), "{build:?} ended with {}", built.status);
        Ok(String::from_utf8(built.stdout).context("the path is not UTF-8")?.trim_end().into())
    }
}
