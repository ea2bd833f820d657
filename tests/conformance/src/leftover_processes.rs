//! Detects processes that commands leave behind, by an environment variable.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use test_guests::process::CommandSpec;

use crate::cases::commands::script;

/// A script that starts chains of processes: each process starts the next one in a new session and exits. The chains
/// end by themselves after some seconds.
pub const RESPAWNING_SCRIPT: &str = "r='[ $2 = 0 ] || setsid sh -c \"$1\" - \"$1\" $(($2 - 1)) & exit'; \
                           for i in 1 2 3; do setsid sh -c \"$r\" - \"$r\" 3000 & done; \
                           echo; sleep 1000";

/// A unique value of the environment variable `HYPE_MARK`.
#[derive(Debug)]
pub struct ProcessMark(String);

impl Default for ProcessMark {
    fn default() -> Self {
        Self::new()
    }
}

impl ProcessMark {
    /// The name of the variable, which a grant must name.
    pub const VARIABLE: &str = "HYPE_MARK";

    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("hype-mark-{}-{count}", std::process::id()))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// Returns a shell script that runs with this mark in its environment.
    pub fn script(&self, text: &str) -> CommandSpec {
        let variables = [(Self::VARIABLE.to_owned(), self.0.clone())].into();
        CommandSpec { variables, ..script(text) }
    }

    /// Returns the command lines of this machine's processes that have this mark.
    pub fn remaining(&self) -> Vec<String> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|it| it.path());
        // A process that has exited meanwhile has no files.
        let text = |path: PathBuf| {
            std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        };
        let marked = processes.filter(|process| {
            text(process.join("environ")).is_ok_and(|variables| variables.contains(&self.0))
        });
        marked.map(|process| text(process.join("cmdline")).unwrap_or_default()).collect()
    }
}

/// Commands that try to outlive their closure: in the background, in a new session, without a parent, as a tree, and
/// as a chain in which each process starts the next one and exits.
pub fn outliving_commands(mark: &ProcessMark) -> Vec<CommandSpec> {
    [
        "sleep 1000 & echo; wait",
        "setsid sleep 1000 & echo; wait",
        "(setsid sh -c 'trap : TERM HUP; sleep 1000 & sleep 1000; :' &) & echo; sleep 1000",
        "b() { if [ $1 -gt 0 ]; then b $(($1-1)) & b $(($1-1)) & fi; sleep 1000; }; b 6 & echo; wait",
        RESPAWNING_SCRIPT,
    ]
    .map(|text| mark.script(text))
    .into()
}
