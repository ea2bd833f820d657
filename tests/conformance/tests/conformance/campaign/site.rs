//! The surroundings of a round, and the remains in them.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use test_storage_server::{Settings, StorageServer};

use crate::campaign::docker;
use crate::campaign::kubernetes::Namespace;
use crate::campaign::program::Program;
use crate::campaign::remains::{Remains, VOLUME};

/// The advance of a collection's clock: beyond the minimum age of everything collected.
const CLOCK_ADVANCE: Duration = Duration::from_secs(9 * 24 * 3600);

/// The timeout for anything that was asked to end.
const END_TIMEOUT: Duration = Duration::from_secs(90);

/// The time after a kill in which an object of the program may still be created.
const LATE_CREATION: Duration = Duration::from_secs(10);

/// The interval at which a daemon or a cluster is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

const BUCKET: &str = "bucket";

/// The runner of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RunnerKind {
    Local,
    Docker,
    Kubernetes,
}

impl RunnerKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Docker => "docker",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// Returns whether runs outlive their program.
    pub(crate) fn outlives_programs(self) -> bool {
        self != Self::Local
    }

    /// Returns the number of concurrent lanes. Collection is per namespace in Kubernetes, but per daemon in Docker.
    pub(crate) fn lanes(self) -> usize {
        if self == Self::Kubernetes { 4 } else { 1 }
    }
}

/// The state that consecutive rounds share.
pub(crate) enum Lane {
    Local,
    Docker,
    Kubernetes(Namespace),
}

impl Lane {
    pub(crate) fn new(runner: RunnerKind) -> Self {
        match runner {
            RunnerKind::Local => Self::Local,
            RunnerKind::Docker => Self::Docker,
            RunnerKind::Kubernetes => Self::Kubernetes(Namespace::new()),
        }
    }
}

/// The surroundings of one round: a stage and a directory of its own.
pub(crate) struct Site<'a> {
    lane: &'a Lane,
    directory: tempfile::TempDir,
    bucket: Option<StorageServer>,
}

impl<'a> Site<'a> {
    pub(crate) fn new(lane: &'a Lane) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let marks = directory.path().join("marks");
        fs::create_dir(&marks).unwrap();
        // The closure may run as any user.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&marks, Permissions::from_mode(0o777)).unwrap();
        let settings = Settings::new().with_bucket(BUCKET);
        let bucket = matches!(lane, Lane::Kubernetes(_)).then(|| StorageServer::start(&settings));
        Self { lane, directory, bucket: bucket.map(Result::unwrap) }
    }

    fn runner(&self) -> RunnerKind {
        match self.lane {
            Lane::Local => RunnerKind::Local,
            Lane::Docker => RunnerKind::Docker,
            Lane::Kubernetes(_) => RunnerKind::Kubernetes,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Program {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_submitting")), arguments)
    }

    /// Starts a program that submits a closure, which creates a mark file here.
    pub(crate) fn submit(&self, kind: &str, padding: usize, fails: bool) -> Program {
        let marks = self.path("marks").display().to_string();
        self.start(&["submit", kind, &marks, &padding.to_string(), &fails.to_string()])
    }

    pub(crate) fn attach(&self, run: &str) -> Program {
        let mut program = self.start(&["attach"]);
        program.write_line(run);
        program
    }

    fn start_by(&self, mut command: Command, arguments: &[&str]) -> Program {
        command
            .args(arguments)
            .env("HYPE_SUBMITTER", self.runner().name())
            .env("HYPE_STAGING", format!("file://{}", self.path("stage").display()))
            .env("XDG_DATA_HOME", self.path("data"));
        if let Some(bucket) = &self.bucket {
            command
                .env("STORAGE_EMULATOR_HOST", bucket.url())
                .env("HYPE_STAGING", format!("gs://{BUCKET}"));
        }
        if let Lane::Kubernetes(namespace) = self.lane {
            command.env("KUBECONFIG", namespace.kubeconfig());
        }
        Program::start(command)
    }

    /// Returns the marks of the closure's executions.
    pub(crate) fn marks(&self) -> Vec<String> {
        names(&self.path("marks"))
    }

    /// Waits until nothing runs, ages everything here, and runs a garbage collection.
    pub(crate) fn collect(&self) -> Result<(), String> {
        self.wait_for_ends()?;
        if let Some(bucket) = &self.bucket {
            bucket.age_objects(CLOCK_ADVANCE);
        }
        age(&self.path("stage"));
        let program = env!("CARGO_BIN_EXE_submitting");
        let command = match self.lane {
            // Local leftovers have no expiry label; only the age of objects counts.
            Lane::Local => Command::new(program),
            Lane::Docker | Lane::Kubernetes(_) => {
                let mut command = Command::new("faketime");
                command.args(["-f", "+9d", program]);
                command
            }
        };
        let ended = self.start_by(command, &["gc"]).end_within(END_TIMEOUT)?;
        if !ended.status.success() {
            return Err(format!("the collection failed: {}", ended.stderr));
        }
        Ok(())
    }

    /// Collects until nothing remains or `LATE_CREATION` has passed: a request of a killed program may take effect a moment
    /// later.
    pub(crate) fn collect_all(&self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            self.collect()?;
            if self.remains().is_empty() || began.elapsed() > LATE_CREATION {
                return Ok(());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn wait_for_ends(&self) -> Result<(), String> {
        let have_ended = wait_until(|| match self.lane {
            Lane::Local => true,
            Lane::Docker => !docker::is_running(),
            Lane::Kubernetes(namespace) => !namespace.has_running_pods(),
        });
        have_ended.ok_or_else(|| format!("these still run: {:?}", self.remains()))
    }

    pub(crate) fn remains(&self) -> Remains {
        let mut remains = self.objects();
        match self.lane {
            Lane::Local => {
                for name in names(&self.path("data/hype/volumes")) {
                    remains.add(VOLUME, name);
                }
            }
            Lane::Docker => docker::add_remains(&mut remains),
            Lane::Kubernetes(namespace) => {
                // Objects that are being deleted disappear by themselves.
                wait_until(|| !namespace.has_terminating());
                for (what, name) in namespace.remains() {
                    remains.add(what, name);
                }
            }
        }
        remains
    }

    /// Waits until an execution has created its mark file. Returns whether it did.
    pub(crate) fn wait_for_mark(&self) -> bool {
        wait_until(|| !self.marks().is_empty()).is_some()
    }

    fn objects(&self) -> Remains {
        let mut remains = Remains::default();
        let stage = self.path("stage");
        let mut add = |name: &str| remains.add_object(name);
        match &self.bucket {
            Some(bucket) => bucket.names(BUCKET).iter().for_each(|name| add(name)),
            None => walk(&stage, &stage, &mut add),
        }
        remains
    }

    /// Returns whether the lease of this run says that it was detached.
    pub(crate) fn is_detached(&self, run: &str) -> bool {
        let name = hype_wire::names::lease(run);
        let lease = match &self.bucket {
            Some(bucket) => bucket.object(BUCKET, &name).map(|content| content.to_bytes().to_vec()),
            None => fs::read(self.path("stage").join(name)).ok(),
        };
        lease.is_some_and(|lease| hype_wire::Lease::from_bytes(&lease).unwrap().detached)
    }
}

/// Polls until `condition` returns true. Returns `None` after the timeout `END_TIMEOUT`.
fn wait_until(condition: impl Fn() -> bool) -> Option<()> {
    let began = Instant::now();
    while !condition() {
        if began.elapsed() > END_TIMEOUT {
            return None;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Some(())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Calls `add` with the names of all files below `directory`, and of empty directories below `runs` and `views`.
fn walk(root: &Path, directory: &Path, add: &mut impl FnMut(&str)) {
    let relative = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    let entries = names(directory);
    let is_of_run = ["runs/", "views/"].iter().any(|it| relative(directory).starts_with(it));
    if entries.is_empty() && is_of_run {
        add(&relative(directory));
    }
    for path in entries.iter().map(|name| directory.join(name)) {
        match path.is_dir() {
            true => walk(root, &path, add),
            false => add(&relative(&path)),
        }
    }
}

/// Sets the modification times of all files and directories below `directory` back. A view has the age of its directory.
fn age(directory: &Path) {
    for path in names(directory).iter().map(|name| directory.join(name)) {
        if path.is_dir() {
            age(&path);
        }
        if let Ok(file) = File::open(&path) {
            file.set_modified(SystemTime::now() - CLOCK_ADVANCE).unwrap();
        }
    }
}
