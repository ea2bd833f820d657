//! The fork server: a process that loads components and forks a worker for each job.
//!
//! It has one thread and runs no guest, so that a fork copies a process in a known state, and a new worker has its
//! component loaded. It ends when its channel closes or when the program ends, kills its workers, and removes their
//! directories.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use hype_wire::{ComponentRef, Digest, Failure, FailureKind, HYPE_VERSION};
use rustix::process::getpid;

use super::channel::Channel;
use super::children::{Children, WorkerParts};
use super::memory;
use super::message::{FromServer, MAX_MESSAGE, ToServer, begin, head, no_descriptors, split};
use super::seccomp;
use super::worker;
use crate::callee::ReadyComponent;
use crate::executor::Executor;
use crate::machine_code::MachineCode;
use crate::scratch::new_directory_in;

/// Serves the requests of the program until it closes `channel` or ends. Returns the status to exit with.
pub(super) fn serve(channel: &Channel, owner: &OwnedFd) -> i32 {
    seccomp::compile();
    let executor = Executor::of_fork_server();
    let mut server = Server { executor, channel, owner, children: Children::default() };
    let status = i32::from(server.serve_all().is_none());
    server.children.end();
    status
}

struct Server<'a> {
    executor: Executor,
    channel: &'a Channel,
    owner: &'a OwnedFd,
    children: Children,
}

impl Server<'_> {
    /// Serves all requests. Returns `None` if the channel is broken or a request is malformed.
    fn serve_all(&mut self) -> Option<()> {
        let mut buffer = vec![0; MAX_MESSAGE];
        self.respond(FromServer::Ready { hype: HYPE_VERSION.to_owned() }, None)?;
        // The pidfd of the program becomes readable when it ends, even if a fork of it keeps the channel open.
        while self.children.wait(self.channel.as_fd(), self.owner.as_fd()) {
            let Ok(Some(received)) = self.channel.receive(&mut buffer) else { break };
            if received.has_lost_descriptors {
                self.respond(FromServer::Failed(no_descriptors("the fork server")), None)?;
            } else {
                self.serve_request(&buffer[..received.length], received.descriptors)?;
            }
        }
        Some(())
    }

    /// Serves one request. Returns `None` if the channel is broken or the request is malformed.
    fn serve_request(&mut self, message: &[u8], descriptors: Vec<OwnedFd>) -> Option<()> {
        let (_, request, _) = split(message)?;
        let mut descriptors = descriptors.into_iter();
        match head(request).ok()? {
            ToServer::Load { component } => {
                let response = self.load(&component, descriptors.next()?);
                self.respond(response, None)
            }
            // A worker that has ended before this request was reaped before it.
            ToServer::End { number } => {
                self.respond(FromServer::Ended(self.children.end_of(number)), None)
            }
            ToServer::Unload { digest } => {
                self.executor.components().remove(&digest);
                self.respond(FromServer::Done, None)
            }
            ToServer::Fork { number, component, parent, memory } => {
                let channel = Channel::from(descriptors.next()?);
                let (setup, tmp) = (File::from(descriptors.next()?), descriptors.next());
                let component = match component {
                    None => None,
                    Some(digest) => match self.executor.components().get(&digest) {
                        None => return self.respond(not_loaded(&digest), None),
                        component => component,
                    },
                };
                let files = |directory| worker::Files { channel, setup, directory, tmp };
                match self.fork(number, component.as_ref(), files, &parent, memory) {
                    Ok((pidfd, unwatched)) => {
                        self.respond(FromServer::Forked { unwatched }, Some(pidfd.as_fd()))
                    }
                    Err(error) => self.respond(FromServer::Failed(cannot_fork(&error)), None),
                }
            }
        }
    }

    fn load(&self, component: &ComponentRef, file: OwnedFd) -> FromServer {
        let Some(code) = MachineCode::sealed(File::from(file)) else {
            return FromServer::Unloadable("this machine shows no descriptors in /proc".to_owned());
        };
        // SAFETY: the program sends only machine code that a trusted manifest names, or that it compiled itself.
        match unsafe { self.executor.load(component, &code) } {
            Ok(Ok(_)) => FromServer::Done,
            Ok(Err(reason)) => FromServer::Unloadable(reason),
            Err(failure) => FromServer::Failed(failure),
        }
    }

    /// Forks a worker with a new directory in `parent`, which may use `memory` bytes besides those of this process. Returns its
    /// pidfd, and the reason why its memory can't be read, if so.
    fn fork(
        &mut self,
        number: u64,
        component: Option<&ReadyComponent>,
        files: impl FnOnce(PathBuf) -> worker::Files,
        parent: &Path,
        memory: u64,
    ) -> std::io::Result<(OwnedFd, Option<String>)> {
        let most_memory = memory::of_this_process()?.saturating_add(memory);
        let server = getpid();
        let directory = new_directory_in(parent)?;
        let mut inherited = self.children.descriptors();
        inherited.extend([self.channel.as_raw_fd(), self.owner.as_raw_fd()]);
        let files = files(directory.clone());
        let parts = WorkerParts { number, directory, most_memory };
        let executor = &self.executor;
        let work = || worker::run(server, executor, component, files, &inherited);
        // SAFETY: this process has one thread.
        let forked = unsafe { self.children.fork(Some(parts), work)? };
        let unwatched = forked.unwatched.map(|error| error.to_string());
        Ok((forked.pidfd.try_clone_to_owned()?, unwatched))
    }

    fn respond(&self, response: FromServer, descriptor: Option<BorrowedFd<'_>>) -> Option<()> {
        let message = begin(0, &response.shortened()).ok()?;
        self.channel.send([&message, b""], descriptor.as_slice()).ok()
    }
}

fn not_loaded(digest: &Digest) -> FromServer {
    let message = format!("the fork server has not loaded the component {digest}");
    FromServer::Failed(Failure::new(FailureKind::Infrastructure, message))
}

fn cannot_fork(error: &std::io::Error) -> Failure {
    let what = "cannot create a worker process";
    Failure { causes: vec![error.to_string()], ..Failure::new(FailureKind::Infrastructure, what) }
}
