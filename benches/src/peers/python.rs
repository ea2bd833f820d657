//! The peers in Python: their installation, and their measurement in processes of their own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::results::Seconds;
use crate::install::{is_outdated, run};
use crate::ours::Ours;

/// A peer.
pub(super) struct Peer {
    /// Its name in `benches/peers/measure.py`.
    pub(super) name: &'static str,
    /// Its name in tables.
    pub(super) title: &'static str,
    /// Its package, unless it belongs to Python.
    pub(super) package: Option<&'static str>,
}

pub(super) const PEERS: [Peer; 5] = [
    Peer { name: "ray", title: "Ray", package: Some("ray") },
    Peer { name: "dask", title: "Dask distributed", package: Some("distributed") },
    Peer { name: "lithops", title: "Lithops localhost", package: Some("lithops") },
    Peer { name: "multiprocessing", title: "multiprocessing", package: None },
    Peer { name: "joblib", title: "joblib", package: Some("joblib") },
];

/// The installed peers.
pub(super) struct Python {
    environment: PathBuf,
    script: PathBuf,
    requirements: String,
}

impl Python {
    /// Installs the peers in a virtual environment below the target directory, in the versions of
    /// `benches/peers/requirements.txt`.
    pub(super) fn install(ours: &Ours) -> anyhow::Result<Self> {
        let folder = ours.root.join("benches/peers");
        let requirements = folder.join("requirements.txt");
        let environment = ours.tools.join("peers");
        // Exists once everything is installed.
        let installed = environment.join("installed");
        if is_outdated(&installed, &[&requirements])? {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
            run(Command::new(environment.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
                .arg(&requirements))?;
            std::fs::write(installed, "")?;
        }
        Ok(Self {
            environment,
            script: folder.join("measure.py"),
            requirements: std::fs::read_to_string(requirements)?,
        })
    }

    /// Returns the version of Python.
    pub(super) fn version(&self) -> anyhow::Result<String> {
        let output = Command::new(self.environment.join("bin/python")).arg("--version").output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Returns the name and version of a peer.
    pub(super) fn title(&self, peer: &Peer) -> String {
        let version = peer.package.and_then(|package| {
            let line =
                |line: &str| line.strip_prefix(package)?.strip_prefix("==").map(str::to_owned);
            self.requirements.lines().find_map(line)
        });
        version.map_or(peer.title.to_owned(), |version| format!("{} {version}", peer.title))
    }

    /// Returns the number of steps of a CPU-bound task.
    pub(super) fn calibrate(&self) -> anyhow::Result<u64> {
        let steps = self.run(&["calibrate".to_owned()])?["steps"];
        Ok(steps as u64)
    }

    /// Returns the seconds of the CPU-bound tasks in processes without a framework.
    pub(super) fn measure_bare(&self, steps: u64, cores: usize) -> anyhow::Result<f64> {
        let seconds = self.run(&["bare".to_owned(), steps.to_string(), cores.to_string()])?;
        seconds.get("spin").copied().context("there is no result")
    }

    /// Measures a peer once.
    pub(super) fn measure(&self, peer: &Peer, steps: u64, cores: usize) -> anyhow::Result<Seconds> {
        self.run(&[peer.name.to_owned(), steps.to_string(), cores.to_string()])
    }

    fn run(&self, arguments: &[String]) -> anyhow::Result<Seconds> {
        // Peers leave files in it.
        let temporary = tempfile::tempdir()?;
        let mut command = Command::new(self.environment.join("bin/python"));
        command
            .arg(&self.script)
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .env("HOME", temporary.path())
            // Lithops starts `python`.
            .env("PATH", self.path()?);
        let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("{}: {}", output.status, errors.lines().last().unwrap_or_default());
        }
        let line = output.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
        let seconds: Seconds = serde_json::from_slice(line.context("there is no result")?)?;
        ensure!(!seconds.is_empty(), "there is no result");
        Ok(seconds)
    }

    /// Returns the directories of programs, the environment's first.
    fn path(&self) -> anyhow::Result<OsString> {
        let others = std::env::var_os("PATH").unwrap_or_default();
        let own = std::iter::once(self.environment.join("bin"));
        Ok(std::env::join_paths(own.chain(std::env::split_paths(&others)))?)
    }
}
