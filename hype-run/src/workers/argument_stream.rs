//! Large arguments on their way to a worker, through a channel of their own.
//!
//! The worker reads them into the guest's memory, so that they are copied once on each side. Its other messages don't wait
//! for them.

use std::io;
use std::os::fd::OwnedFd;

use super::channel::{AsyncChannel, Channel};
use super::message::MAX_MESSAGE;
use crate::transport::{ArgumentSource, HEAD};

/// The program's end of the channel, with the arguments.
pub(super) struct OutgoingArguments<'a> {
    channel: AsyncChannel,
    arguments: &'a [u8],
}

impl<'a> OutgoingArguments<'a> {
    /// Returns the program's end, and that of the worker.
    pub(super) fn new(arguments: &'a [u8]) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = Channel::pair()?;
        Ok((Self { channel: AsyncChannel::new(ours)?, arguments }, theirs.into()))
    }

    /// Sends the arguments. Ends early if the worker doesn't want them, which the end of its call explains.
    pub(super) async fn send(&self) -> io::Result<()> {
        let channel = self.channel.registered()?;
        // The worker may read the head alone.
        let (head, rest) = self.arguments.split_at(HEAD.min(self.arguments.len()));
        for part in [head].into_iter().chain(rest.chunks(MAX_MESSAGE)) {
            tokio::task::coop::consume_budget().await;
            match channel.send([part, b""], &[]).await {
                Err(error) if is_closed(&error) => return Ok(()),
                sent => sent?,
            }
        }
        Ok(())
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// The worker's end of the channel.
pub(super) struct IncomingArguments {
    channel: Channel,
    size: usize,
}

impl IncomingArguments {
    /// Returns arguments of `size` bytes, which arrive through `channel`.
    pub(super) fn new(channel: OwnedFd, size: u64) -> io::Result<Self> {
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Self { channel: channel.into(), size })
    }
}

impl ArgumentSource for IncomingArguments {
    fn size(&self) -> usize {
        self.size
    }

    fn read_to(&self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let received = self.channel.receive(buffer)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer = &mut buffer[received.length..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 3 * MAX_MESSAGE + 7;

    /// Sends arguments, and returns what `receive` makes of them in another thread.
    fn sent<T: Send + 'static>(
        receive: impl FnOnce(IncomingArguments) -> T + Send + 'static,
    ) -> (Vec<u8>, T) {
        let arguments: Vec<u8> = (0..SIZE).map(|index| (index % 251) as u8).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let received = runtime.block_on(async {
            let (outgoing, theirs) = OutgoingArguments::new(&arguments).unwrap();
            let incoming = IncomingArguments::new(theirs, SIZE as u64).unwrap();
            let thread = std::thread::spawn(move || receive(incoming));
            outgoing.send().await.unwrap();
            drop(outgoing);
            thread.join().unwrap()
        });
        (arguments, received)
    }

    #[test]
    fn arguments_arrive_in_a_buffer() {
        let (arguments, received) = sent(|incoming| {
            let mut buffer = vec![0; incoming.size()];
            incoming.read_to(&mut buffer).map(|()| buffer)
        });
        assert_eq!(received.unwrap(), arguments);
        let (arguments, received) = sent(|incoming| incoming.read());
        assert_eq!(received.unwrap(), arguments);
    }

    #[test]
    fn arguments_may_be_ignored() {
        sent(drop);
    }

    #[test]
    fn missing_arguments_are_an_error() {
        let (_, received) = sent(|incoming| incoming.read_to(&mut [0; SIZE + 1]));
        assert_eq!(received.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
