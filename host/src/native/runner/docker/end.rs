//! Maps the end of a container to a result.

use bollard::models::ContainerState;

use super::daemon::ConnectedDaemon;
use crate::error::Error;
use crate::runner::verdict::{Advice, ProcessEnd, ProcessExit, Subject};
use crate::runner::{Completion, Process};

/// The number of output lines in the error of a container that wrote no outcome.
const LAST_LINES: usize = 5;

const ADVICE: Advice = Advice {
    stage: "it must reach the stage as this program does: see Submitter::with_stage_secret",
    killed: "possible causes: docker kill, docker stop, or the system's OOM killer",
    memory: MEMORY_HINT,
    memory_owner: "the daemon's machine",
    no_memory_limit: MEMORY_HINT,
    unreachable: "once it is back, cargo hype gc removes what is left of the container",
};

const MEMORY_HINT: &str = "raise the container's limit, e.g. RunEnvironment::with_request(\"memory\", \"4Gi\"); it \
                      holds hype-run and what is staged, too. with_memory bounds what the closure takes of it";

/// A container that has ended, with its names for messages.
#[derive(Debug, Clone)]
pub(crate) struct EndedContainer<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) container: &'a str,
    pub(crate) image: &'a str,
    /// The address of the daemon.
    pub(crate) daemon: &'a str,
    /// The memory limit.
    pub(crate) memory: Option<&'a str>,
    pub(crate) last_lines: Vec<String>,
}

impl<'a> EndedContainer<'a> {
    /// Returns the container `name` of `process`, which has ended.
    pub(crate) fn of(process: &'a Process, name: &'a str, daemon: &'a ConnectedDaemon) -> Self {
        Self {
            run_id: &process.run_id,
            container: name,
            image: process.image.as_deref().unwrap_or_default(),
            daemon: &daemon.address,
            memory: process.env.requests().get("memory").map(String::as_str),
            last_lines: process.log.last(LAST_LINES),
        }
    }

    /// Returns what proves the outcome after this `end`, or the error of the run.
    pub(crate) fn judge(self, end: ProcessEnd) -> Result<Completion, Error> {
        let Self { run_id, container, image, daemon, memory, last_lines } = self;
        let subject = Subject {
            run_id,
            name: &format!("container {container}"),
            image: Some(image),
            server: &format!("the Docker daemon at {daemon}"),
            memory,
            last_lines,
            is_sealed: true,
            advice: ADVICE,
        };
        subject.judge(end)
    }
}

/// Returns the exit of an ended container.
pub(crate) fn exit(state: &ContainerState) -> ProcessExit {
    let mut exit = ProcessExit::of_status(state.exit_code.unwrap_or(-1));
    exit.is_out_of_memory = state.oom_killed == Some(true);
    exit
}
