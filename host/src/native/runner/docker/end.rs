//! How a container ended, in the words of Docker.

use bollard::models::ContainerState;

use crate::error::Error;
use crate::runner::Voucher;
use crate::runner::verdict::{Advice, ProcessEnd, ProcessExit, Subject};

const ADVICE: Advice = Advice {
    stage: "it must reach the stage as this program does: see Submitter::with_stage_secret",
    killed: "somebody did that (docker kill, docker stop), or the system for want of memory",
    memory: MEMORY,
    no_limit: ("the daemon's machine", MEMORY),
    unreachable: "once it is back, cargo hype gc removes what is left of the container",
};

const MEMORY: &str = "raise the container's limit, e.g. RunEnvironment::with_request(\"memory\", \"4Gi\"); it \
                      holds hype-run and what is staged, too. with_memory bounds what the closure takes of it";

/// A container that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) container: &'a str,
    pub(crate) image: &'a str,
    /// The address of the daemon.
    pub(crate) daemon: &'a str,
    /// The memory limit.
    pub(crate) memory: Option<&'a str>,
    pub(crate) last_lines: Vec<String>,
}

impl Ended<'_> {
    /// Returns what vouches for the outcome after this `end`, or the error of the run.
    pub(crate) fn judge(self, end: ProcessEnd) -> Result<Voucher, Error> {
        let Self { run_id, container, image, daemon, memory, last_lines } = self;
        let subject = Subject {
            run_id,
            what: &format!("container {container}"),
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

/// Returns the exit of a container that has ended.
pub(crate) fn exit(state: &ContainerState) -> ProcessExit {
    let mut exit = ProcessExit::of_status(state.exit_code.unwrap_or(-1));
    exit.is_out_of_memory = state.oom_killed == Some(true);
    exit
}
