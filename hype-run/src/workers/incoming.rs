//! The messages of the program to the guest of a call, in its worker.

use std::io;
use std::path::Path;
use std::sync::Arc;

use hype_wire::Powers;
use hype_wire::worker::ToWorkerKind;
use tokio::sync::Notify;

use super::channel::{Channel, Received};
use super::command_client::CommandClient;
use super::http_client::HttpClient;
use super::message::{MAX_MESSAGE, head, split};

/// The clients of one call, which receive these messages.
pub(super) struct Incoming {
    channel: Arc<Channel>,
    /// Notified when the guest uses one of the clients for the first time.
    begun: Arc<Notify>,
    pub(super) http: Option<HttpClient>,
    pub(super) commands: Option<CommandClient>,
}

impl Incoming {
    /// Creates the clients for these `powers`, with the `/tmp` that commands share with the guest.
    pub(super) fn new(channel: &Arc<Channel>, powers: &Powers, tmp: Option<&Path>) -> Self {
        let begun = Arc::default();
        let http = (!powers.http.is_empty()).then(|| HttpClient::new(channel, &begun));
        let commands = tmp.map(|tmp| CommandClient::new(channel, tmp.to_owned(), &begun));
        Self { channel: Arc::clone(channel), begun, http, commands }
    }

    /// Receives the messages of the program, once the guest has used a client. Returns an error when the program is gone.
    pub(super) async fn serve(&self) -> io::Error {
        self.begun.notified().await;
        match self.receive_all().await {
            Ok(()) => io::ErrorKind::UnexpectedEof.into(),
            Err(error) => error,
        }
    }

    async fn receive_all(&self) -> io::Result<()> {
        let channel = self.channel.registered()?;
        let mut buffer = vec![0; MAX_MESSAGE];
        while let Some(received) = channel.receive(&mut buffer).await? {
            self.dispatch(&buffer, received)?;
        }
        Ok(())
    }

    fn dispatch(&self, buffer: &[u8], received: Received) -> io::Result<()> {
        let Received { length, descriptors, .. } = received;
        let (kind, message, body) = split(&buffer[..length]).ok_or(io::ErrorKind::InvalidData)?;
        match (&self.http, &self.commands) {
            (Some(http), _) if kind == ToWorkerKind::Http as u8 => {
                http.dispatch(head(message)?, body)
            }
            (_, Some(commands)) if kind == ToWorkerKind::Command as u8 => {
                commands.dispatch(head(message)?, descriptors)
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Ends the call: nothing more is sent.
    pub(super) fn close(&self) {
        if let Some(http) = &self.http {
            http.close();
        }
        if let Some(commands) = &self.commands {
            commands.close();
        }
    }
}
