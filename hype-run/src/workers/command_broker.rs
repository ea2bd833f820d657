//! The commands of a call in a worker, which the program starts for its guest.
//!
//! The program checks each command again against the grants of the job, with the code that checks those of guests in this
//! process. A worker that violates the protocol is killed by its call.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use hype_wire::worker::{
    CommandEnd, CommandEvent, CommandMessage, CommandReport, CommandReportStep, OpenCommands,
    ToWorkerKind, Violation,
};
use wasmtime_wasi::p2::Pollable;

use super::broker::Encoded;
use super::call_commands::{CallCommands, Response};
use super::message::begin;
use crate::limits::COMMANDS;
use crate::process::{Ending, ExitStatus};

/// The commands of one call.
pub(super) struct CommandBroker<'a> {
    commands: &'a CallCommands,
    open: OpenCommands,
    /// The response to the start of the next command.
    response: Option<Response>,
    running: HashMap<u64, Ending>,
    ends: FuturesUnordered<BoxFuture<'static, (u64, CommandEnd)>>,
}

impl<'a> CommandBroker<'a> {
    /// Creates the state of a call whose guest may start `commands`.
    pub(super) fn new(commands: &'a CallCommands) -> Self {
        Self {
            commands,
            open: OpenCommands::new(COMMANDS),
            response: None,
            running: HashMap::new(),
            ends: FuturesUnordered::new(),
        }
    }

    /// Handles a message of the worker.
    ///
    /// # Errors
    ///
    /// When the worker must not send it.
    pub(super) fn receive(
        &mut self,
        message: CommandMessage,
        body: &[u8],
    ) -> Result<(), Violation> {
        match self.open.receive(message, body)? {
            Some(CommandEvent::Start(request)) => {
                self.response = Some(self.commands.start(*request));
            }
            Some(CommandEvent::Kill) => {
                if let Some(end) = self.running.get(&message.command) {
                    end.kill();
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Waits for the next message for the worker. Loses no message if it is dropped before.
    pub(super) async fn next(&mut self) -> io::Result<Encoded> {
        if let Some(Response { step, pipes, end }) = self.response.take() {
            let command = self.open.next();
            self.open.responded(end.is_some());
            if let Some(end) = end {
                self.running.insert(command, end.clone());
                self.ends.push(Box::pin(ended(command, end)));
            }
            return report(command, step, pipes);
        }
        // Without commands nothing ends.
        let Some((command, end)) = self.ends.next().await else { std::future::pending().await };
        self.running.remove(&command);
        self.open.ended(command);
        report(command, CommandReportStep::Ended(end), Vec::new())
    }
}

async fn ended(command: u64, mut end: Ending) -> (u64, CommandEnd) {
    end.ready().await;
    let end = match end.status() {
        Some(ExitStatus::Exited(code)) => CommandEnd::Exited(code),
        Some(ExitStatus::Signaled(signal)) => CommandEnd::Signaled(signal),
        None => CommandEnd::Signaled(0),
    };
    (command, end)
}

fn report(command: u64, step: CommandReportStep, descriptors: Vec<OwnedFd>) -> io::Result<Encoded> {
    let head = begin(ToWorkerKind::Command as u8, &CommandReport { command, step })?;
    Ok(Encoded { head, body: Bytes::new(), descriptors })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::commands_of_call;
