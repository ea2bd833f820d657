//! The parts of the program that exercise the powers of a call's guest.

use std::future::pending;
use std::io;

use hype_wire::worker::{FromWorker, Violation};

use super::broker::{Broker, Encoded};
use super::call::Request;
use super::command_broker::CommandBroker;

/// The brokers of one call. Dropping them ends its HTTP requests.
pub(super) struct Brokers<'a> {
    http: Option<Broker<'a>>,
    commands: Option<CommandBroker<'a>>,
}

impl<'a> Brokers<'a> {
    pub(super) fn new(request: &Request<'a>) -> Self {
        let Request { http, commands, .. } = *request;
        Self { http: http.map(Broker::new), commands: commands.map(CommandBroker::new) }
    }

    /// Handles a message of the worker. Returns a message that is for none of the brokers.
    ///
    /// # Errors
    ///
    /// When the worker must not send it.
    pub(super) fn receive<'m>(
        &mut self,
        message: FromWorker<'m>,
    ) -> Result<Option<FromWorker<'m>>, Violation> {
        match (message, &mut self.http, &mut self.commands) {
            (FromWorker::Http(message, body), Some(http), _) => http.receive(message, body)?,
            (FromWorker::Command(message, body), _, Some(commands)) => {
                commands.receive(message, body)?;
            }
            (message, ..) => return Ok(Some(message)),
        }
        Ok(None)
    }

    /// Waits for the next message for the worker. Loses no message if it is dropped before.
    pub(super) async fn next(&mut self) -> io::Result<Encoded> {
        let Self { http, commands } = self;
        let http = async {
            match http {
                Some(http) => http.next().await,
                None => pending().await,
            }
        };
        let commands = async {
            match commands {
                Some(commands) => commands.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            message = http => message,
            message = commands => message,
        }
    }
}
