//! Processes that commands leave behind, known by a variable of theirs.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use test_guests::process::Order;

use crate::cases::commands::script;

/// Lines of processes of which each makes the next one in a session of its own, and ends. They end by
/// themselves after some seconds, should nothing else end them.
pub const RABBITS: &str = "r='[ $2 = 0 ] || setsid sh -c \"$1\" - \"$1\" $(($2 - 1)) & exit'; \
                           for i in 1 2 3; do setsid sh -c \"$r\" - \"$r\" 3000 & done; \
                           echo; sleep 1000";

/// The value of a variable that no other process has.
#[derive(Debug)]
pub struct Mark(String);

impl Default for Mark {
    fn default() -> Self {
        Self::new()
    }
}

impl Mark {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("hype-mark-{}-{count}", std::process::id()))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// A script for the shell, with this mark.
    pub fn script(&self, text: &str) -> Order {
        let variables = [("HYPE_MARK".to_owned(), self.0.clone())].into();
        Order { variables, ..script(text) }
    }

    /// The processes of this machine with this mark: their command lines.
    pub fn left(&self) -> Vec<String> {
        let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|it| it.path());
        // One that is gone meanwhile has none.
        let text = |path: PathBuf| {
            std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        };
        let marked = processes.filter(|process| {
            text(process.join("environ")).is_ok_and(|variables| variables.contains(&self.0))
        });
        marked.map(|process| text(process.join("cmdline")).unwrap_or_default()).collect()
    }
}

/// What tries to outlive its closure: in the background, in a session of its own, without a parent, many at
/// once, and as a line of processes of which each makes the next one and ends.
pub fn outliving(mark: &Mark) -> Vec<Order> {
    [
        "sleep 1000 & echo; wait",
        "setsid sleep 1000 & echo; wait",
        "(setsid sh -c 'trap : TERM HUP; sleep 1000 & sleep 1000; :' &) & echo; sleep 1000",
        "b() { if [ $1 -gt 0 ]; then b $(($1-1)) & b $(($1-1)) & fi; sleep 1000; }; b 6 & echo; wait",
        RABBITS,
    ]
    .map(|text| mark.script(text))
    .into()
}
