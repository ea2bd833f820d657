//! Where a round runs, and what is there of it.

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

/// How far a collection's clock is moved: beyond the age at which anything is removed.
const MOVED: Duration = Duration::from_secs(9 * 24 * 3600);

/// How long what was told to end may take.
const END: Duration = Duration::from_secs(90);

/// How long after its program was killed a thing may be made.
const LATE: Duration = Duration::from_secs(10);

/// How long to wait before a daemon or a cluster is asked again.
const PAUSE: Duration = Duration::from_millis(100);

const BUCKET: &str = "bucket";

/// A runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Local,
    Docker,
    Kubernetes,
}

impl Place {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Docker => "docker",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// Whether runs go on without their program.
    pub(crate) fn outlives_programs(self) -> bool {
        self != Self::Local
    }

    /// How many rounds go on side by side. A daemon's collection would take others' things, a namespace's doesn't.
    pub(crate) fn lanes(self) -> usize {
        if self == Self::Kubernetes { 4 } else { 1 }
    }
}

/// What rounds that follow each other share.
pub(crate) enum Lane {
    Local,
    Docker,
    Kubernetes(Namespace),
}

impl Lane {
    pub(crate) fn new(place: Place) -> Self {
        match place {
            Place::Local => Self::Local,
            Place::Docker => Self::Docker,
            Place::Kubernetes => Self::Kubernetes(Namespace::new()),
        }
    }
}

/// The surroundings of one round: a stage of its own, in a directory of its own.
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
        // Whoever the closure runs as leaves its mark.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&marks, Permissions::from_mode(0o777)).unwrap();
        let settings = Settings::new().with_bucket(BUCKET);
        let bucket = matches!(lane, Lane::Kubernetes(_)).then(|| StorageServer::start(&settings));
        Self { lane, directory, bucket: bucket.map(Result::unwrap) }
    }

    fn place(&self) -> Place {
        match self.lane {
            Lane::Local => Place::Local,
            Lane::Docker => Place::Docker,
            Lane::Kubernetes(_) => Place::Kubernetes,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Program {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_submitting")), arguments)
    }

    /// Starts a program that submits a closure, which leaves its mark here.
    pub(crate) fn submit(&self, kind: &str, padding: usize, fails: bool) -> Program {
        let marks = self.path("marks").display().to_string();
        self.start(&["submit", kind, &marks, &padding.to_string(), &fails.to_string()])
    }

    pub(crate) fn attach(&self, run: &str) -> Program {
        let mut program = self.start(&["attach"]);
        program.tell(run);
        program
    }

    fn start_by(&self, mut command: Command, arguments: &[&str]) -> Program {
        command
            .args(arguments)
            .env("HYPE_SUBMITTER", self.place().name())
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

    /// The marks of the closure's executions.
    pub(crate) fn marks(&self) -> Vec<String> {
        names(&self.path("marks"))
    }

    /// Collects what is old, once everything here is; what runs still is waited for before.
    pub(crate) fn collect(&self) -> Result<(), String> {
        self.wait_for_ends()?;
        if let Some(bucket) = &self.bucket {
            bucket.age_objects(MOVED);
        }
        age(&self.path("stage"));
        let program = env!("CARGO_BIN_EXE_submitting");
        let command = match self.lane {
            // What this machine keeps of a local run has no expiry, but for the age of its objects.
            Lane::Local => Command::new(program),
            Lane::Docker | Lane::Kubernetes(_) => {
                let mut command = Command::new("faketime");
                command.args(["-f", "+9d", program]);
                command
            }
        };
        let ended = self.start_by(command, &["gc"]).end_within(END)?;
        if !ended.status.success() {
            return Err(format!("the collection failed: {}", ended.stderr));
        }
        Ok(())
    }

    /// Collects until nothing is left, or for long enough: what a killed program asked for may be made a moment later.
    pub(crate) fn collect_all(&self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            self.collect()?;
            if self.remains().uncollected().is_empty() || began.elapsed() > LATE {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn wait_for_ends(&self) -> Result<(), String> {
        let have_ended = wait_until(|| match self.lane {
            Lane::Local => true,
            Lane::Docker => !docker::is_running(),
            Lane::Kubernetes(namespace) => !namespace.has_running_pods(),
        });
        have_ended.ok_or_else(|| format!("what runs does not end: {:?}", self.remains()))
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
                // What is being removed goes by itself.
                wait_until(|| !namespace.has_terminating());
                for (what, name) in namespace.remains() {
                    remains.add(what, name);
                }
            }
        }
        remains
    }

    /// Waits until a closure has left its mark.
    pub(crate) fn waits_for_mark(&self) -> bool {
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

    /// Whether the lease of this run says that it was detached.
    pub(crate) fn is_detached(&self, run: &str) -> bool {
        let name = hype_wire::names::lease(run);
        let lease = match &self.bucket {
            Some(bucket) => bucket.object(BUCKET, &name).map(|content| content.to_bytes().to_vec()),
            None => fs::read(self.path("stage").join(name)).ok(),
        };
        lease.is_some_and(|lease| hype_wire::Lease::from_bytes(&lease).unwrap().detached)
    }
}

/// Waits until `is_so`, or for long enough; whether it came.
fn wait_until(is_so: impl Fn() -> bool) -> Option<()> {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > END {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
    Some(())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Hands on the names of all files below `directory`, and of the directories below `runs` that hold none.
fn walk(root: &Path, directory: &Path, add: &mut impl FnMut(&str)) {
    let relative = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    let entries = names(directory);
    if entries.is_empty() && relative(directory).starts_with("runs/") {
        add(&relative(directory));
    }
    for path in entries.iter().map(|name| directory.join(name)) {
        match path.is_dir() {
            true => walk(root, &path, add),
            false => add(&relative(&path)),
        }
    }
}

/// Makes all files below `directory` older.
fn age(directory: &Path) {
    walk(directory, directory, &mut |name| {
        let path = directory.join(name);
        if let Ok(file) = File::open(&path) {
            file.set_modified(SystemTime::now() - MOVED).unwrap();
        }
    });
}
