//! The messages between a program, its fork server and its workers.
//!
//! The program and the fork server trust each other. The program treats a worker as hostile: it reads only
//! [`FromWorker`](hype_wire::worker::FromWorker), which checks all bytes, and accepts no descriptor from it.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use hype_wire::{Blob, ComponentRef, Digest, Failure, FailureKind, FunctionRef, Job, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::wall;
use super::worker_end::WorkerEnd;
use crate::sealed_memory;
use crate::truncate;
use crate::variables::Variables;

pub(super) use hype_wire::worker::{
    CallEnd, FromWorkerKind, MAX_BODY, MAX_MESSAGE, ToWorkerKind, split, without_head,
};

/// The maximum number of causes of a failure of the fork server.
const MAX_CAUSES: usize = 8;

/// A request of the program to the fork server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToServer {
    /// Loads the machine code in the attached sealed file.
    Load { component: ComponentRef },
    /// Forks a worker for the attached channel, with the [`Setup`] in the attached sealed file, and with the attached `/tmp` of
    /// commands if its job grants any. It may write to that, and to a new
    /// directory in `parent`, and is killed when it uses `memory` bytes more than the fork server does. Without a component
    /// it only shows that workers can be set up, and ends. The program has chosen its number.
    Fork { number: u64, component: Option<Digest>, parent: PathBuf, memory: u64 },
    /// Asks for the end of the worker with this number, which must have ended.
    End { number: u64 },
    /// Drops a component.
    Unload { digest: Digest },
}

/// A response of the fork server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromServer {
    /// The fork server is ready, and was built from this version of hype.
    Ready { hype: String },
    /// The request succeeded.
    Done,
    /// The worker exists; its pidfd is attached. Its memory can't be read for the reason `unwatched`, if there is one.
    Forked { unwatched: Option<String> },
    /// The end of a worker, if it is known.
    Ended(Option<WorkerEnd>),
    /// The machine code can't be loaded.
    Unloadable(String),
    /// The request failed because of the machine or of the component.
    Failed(Failure),
}

impl FromServer {
    /// Truncates the texts, which the component determines, so that the response fits into a message.
    pub(super) fn shortened(self) -> Self {
        match self {
            Self::Unloadable(reason) => Self::Unloadable(truncate::message(&reason)),
            Self::Failed(failure) => {
                let mut failure = failure.shortened();
                failure.causes.truncate(MAX_CAUSES);
                Self::Failed(Failure { backtrace: Vec::new(), value: None, ..failure })
            }
            Self::Ready { .. } | Self::Done | Self::Forked { .. } | Self::Ended(_) => self,
        }
    }
}

/// The job of a worker and its directories.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) job: Job,
    /// The directories with the staged files of the job: the path in the guest, and on this machine.
    pub(super) roots: Vec<(String, PathBuf)>,
    pub(super) variables: Variables,
}

/// An encoded [`Setup`], and what a worker has besides.
#[derive(Debug, Clone)]
pub(super) struct EncodedSetup {
    pub(super) bytes: Vec<u8>,
    /// The memory that the worker may use, in bytes.
    pub(super) memory: u64,
    /// The `/tmp` of its only call, which commands of the guest share.
    pub(super) tmp: Option<Arc<OwnedFd>>,
}

impl Setup {
    /// Returns the setup of a worker that makes no calls.
    pub(super) fn of_nothing() -> Self {
        let component = ComponentRef { name: String::new(), blob: Blob::of(b"") };
        Self { job: Job::new(component), roots: Vec::new(), variables: Variables::none() }
    }

    /// # Errors
    ///
    /// When the job can't be encoded.
    pub(super) fn encode(&self) -> io::Result<EncodedSetup> {
        let bytes = codec::to_vec(self).map_err(io::Error::other)?;
        Ok(EncodedSetup { bytes, memory: wall::memory(&self.job), tmp: None })
    }
}

/// The head of a call. Its arguments are the body, unless they are `streamed`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CallHead {
    pub(super) run_id: String,
    pub(super) attempt: u32,
    pub(super) function: FunctionRef,
    pub(super) seed: Option<u64>,
    /// The size of arguments that arrive through the attached channel, in bytes.
    pub(super) streamed: Option<u64>,
}

/// Returns the failure of a request whose descriptors `process` could not receive.
pub(super) fn no_descriptors(process: &str) -> Failure {
    let problem = format!("{process} may open no more files; raise the limit of `ulimit -n`");
    Failure::new(FailureKind::Infrastructure, problem)
}

/// Encodes the beginning of a message: its kind and its head.
pub(super) fn begin(kind: u8, head: &impl Serialize) -> io::Result<Vec<u8>> {
    hype_wire::worker::begin(kind, head).map_err(io::Error::other)
}

/// Decodes a head.
pub(super) fn head<T: DeserializeOwned>(head: &[u8]) -> io::Result<T> {
    codec::from_slice(head).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Writes `bytes` to a new file in memory that can't be changed.
pub(super) fn sealed_file(bytes: &[u8]) -> io::Result<File> {
    let mut file = sealed_memory::create("hype message")?;
    file.write_all(bytes)?;
    sealed_memory::seal(&file)?;
    file.rewind()?;
    Ok(file)
}

/// Reads all of a file that the trusted side has written.
pub(super) fn read_file(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_response_fits_into_a_message() {
        let long = "ü".repeat(1 << 20);
        let failure = Failure {
            causes: vec![long.clone(); 100],
            ..Failure::new(FailureKind::Incompatible, long.clone())
        };
        for response in [FromServer::Failed(failure), FromServer::Unloadable(long)] {
            assert!(begin(0, &response.shortened()).is_ok());
        }
    }
}
