//! A socket between two processes that keeps the boundaries of messages and passes descriptors.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
    recvmsg, sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The maximum number of descriptors in a message.
const MAX_DESCRIPTORS: usize = 3;

/// One end of a connection of two processes. Its calls block.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// Creates the two ends of a connection.
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
        let (one, other) = socketpair(AddressFamily::UNIX, kind, flags, None)?;
        Ok((Self(one), Self(other)))
    }

    /// Sends one message, which consists of `parts`, with `descriptors`.
    pub(super) fn send(&self, parts: [&[u8]; 2], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        rustix::io::retry_on_intr(|| send(self.0.as_fd(), parts, descriptors)).map_err(Into::into)
    }

    /// Receives one message into `buffer`. Returns `None` when the other end is closed.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let flags = RecvFlags::empty();
        let received = rustix::io::retry_on_intr(|| receive(self.0.as_fd(), buffer, flags))?;
        Ok(received)
    }

    /// Registers this end with the current runtime.
    pub(super) fn registered(&self) -> io::Result<RegisteredChannel<'_>> {
        register(self.0.as_fd()).map(RegisteredChannel)
    }
}

impl From<OwnedFd> for Channel {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.0
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// A received message. Its bytes are at the beginning of the buffer.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) descriptors: Vec<OwnedFd>,
    /// True if this process could not receive the descriptors of the message, since it may open no more. `descriptors`
    /// is empty then.
    pub(super) has_lost_descriptors: bool,
}

/// One end of a connection, for a process with an asynchronous runtime.
///
/// The channel is registered with the runtime only while a task waits for it: most messages arrive earlier, and each of
/// them would also wake up the thread that polls for the runtime.
#[derive(Debug)]
pub(super) struct AsyncChannel(OwnedFd);

impl AsyncChannel {
    /// Makes the calls of `channel` asynchronous.
    ///
    /// # Errors
    ///
    /// When the system rejects the change.
    pub(super) fn new(channel: Channel) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&channel.0, true)?;
        Ok(Self(channel.0))
    }

    /// Sends one message, which consists of `parts`, with `descriptors`.
    pub(super) async fn send(
        &self,
        parts: [&[u8]; 2],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let send = |fd: BorrowedFd<'_>| -> io::Result<()> { Ok(send(fd, parts, descriptors)?) };
        match send(self.0.as_fd()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                register(self.0.as_fd())?.async_io(Interest::WRITABLE, |fd| send(*fd)).await
            }
            sent => sent,
        }
    }

    /// Receives one message into `buffer`. Returns `None` when the other end is closed. Waits for `blocking` on this
    /// thread before it lets other tasks run.
    pub(super) async fn receive(
        &self,
        buffer: &mut [u8],
        blocking: Duration,
    ) -> io::Result<Option<Received>> {
        if !blocking.is_zero() {
            let timeout = Timespec::try_from(blocking).map_err(io::Error::other)?;
            // An interrupted wait only ends early.
            let _ = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timeout));
        }
        match receive_arrived(self.0.as_fd(), buffer) {
            Err(Errno::WOULDBLOCK) => {
                let receive = |fd: &BorrowedFd<'_>| Ok(receive_arrived(*fd, buffer)?);
                register(self.0.as_fd())?.async_io(Interest::READABLE, receive).await
            }
            received => Ok(received?),
        }
    }

    /// Receives a message that has arrived already. Returns `None` if there is none.
    pub(super) fn receive_arrived(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        match receive_arrived(self.0.as_fd(), buffer) {
            Err(Errno::WOULDBLOCK) => Ok(None),
            received => Ok(received?),
        }
    }

    /// Closes the connection for all copies of this end, also for those of forks of this process.
    pub(super) fn shut_down(&self) {
        // The error means that the other end is closed.
        let _ = rustix::net::shutdown(&self.0, Shutdown::Both);
    }

    #[cfg(test)]
    pub(super) fn try_clone(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// Registers this end with the current runtime, for messages in both directions.
    pub(super) fn registered(&self) -> io::Result<RegisteredChannel<'_>> {
        register(self.0.as_fd()).map(RegisteredChannel)
    }
}

/// One end of a connection that stays registered with the runtime. A runtime registers each descriptor once.
pub(super) struct RegisteredChannel<'a>(AsyncFd<BorrowedFd<'a>>);

impl RegisteredChannel<'_> {
    /// Sends one message, which consists of `parts`, with `descriptors`. The end must be one that doesn't block.
    pub(super) async fn send(
        &self,
        parts: [&[u8]; 2],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let send = |fd: &BorrowedFd<'_>| -> io::Result<()> { Ok(send(*fd, parts, descriptors)?) };
        match send(self.0.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.0.async_io(Interest::WRITABLE, send).await
            }
            sent => sent,
        }
    }

    /// Receives one message into `buffer`. Returns `None` when the other end is closed.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        match receive_arrived(*self.0.get_ref(), buffer) {
            Err(Errno::WOULDBLOCK) => {
                let receive = |fd: &BorrowedFd<'_>| Ok(receive_arrived(*fd, buffer)?);
                self.0.async_io(Interest::READABLE, receive).await
            }
            received => Ok(received?),
        }
    }

    /// Receives a message that has arrived already. Returns `None` if there is none.
    pub(super) fn receive_arrived(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        match receive_arrived(*self.0.get_ref(), buffer) {
            Err(Errno::WOULDBLOCK) => Ok(None),
            received => Ok(received?),
        }
    }
}

/// Registers an end with the current runtime.
fn register(end: BorrowedFd<'_>) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    // SAFETY: the descriptor is borrowed from an owner, so that it stays open and the same.
    Ok(unsafe { AsyncFd::register(end)? })
}

/// Receives a message, unless none has arrived, also from an end whose calls block.
fn receive_arrived(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> rustix::io::Result<Option<Received>> {
    receive(socket, buffer, RecvFlags::DONTWAIT)
}

fn send(
    socket: BorrowedFd<'_>,
    parts: [&[u8]; 2],
    descriptors: &[BorrowedFd<'_>],
) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::INVAL);
    }
    sendmsg(socket, &parts.map(IoSlice::new), &mut control, SendFlags::NOSIGNAL).map(drop)
}

fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> rustix::io::Result<Option<Received>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let parts = &mut [IoSliceMut::new(buffer)];
    let message = recvmsg(socket, parts, &mut control, flags | RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = part {
            descriptors.extend(fds);
        }
    }
    if message.flags.contains(ReturnFlags::TRUNC) {
        return Err(Errno::MSGSIZE);
    }
    let has_lost_descriptors = message.flags.contains(ReturnFlags::CTRUNC);
    if has_lost_descriptors {
        descriptors.clear();
    }
    let length = message.bytes;
    Ok((length > 0).then_some(Received { length, descriptors, has_lost_descriptors }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_keeps_its_boundaries_and_its_descriptors() {
        let (one, other) = Channel::pair().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        one.send([b"a", b"bc"], &[null.as_fd()]).unwrap();
        one.send([b"d", b""], &[]).unwrap();
        drop(one);
        let mut buffer = [0; 16];
        let first = other.receive(&mut buffer).unwrap().unwrap();
        assert_eq!((&buffer[..first.length], first.descriptors.len()), (&b"abc"[..], 1));
        let second = other.receive(&mut buffer).unwrap().unwrap();
        assert_eq!((&buffer[..second.length], second.descriptors.len()), (&b"d"[..], 0));
        assert!(other.receive(&mut buffer).unwrap().is_none());
    }

    #[test]
    fn message_whose_descriptors_are_lost_arrives_without_descriptors() {
        let (one, other) = Channel::pair().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [null.as_fd(); 8];
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        sendmsg(&one, &[IoSlice::new(b"abc")], &mut control, SendFlags::empty()).unwrap();
        let received = other.receive(&mut [0; 16]).unwrap().unwrap();
        assert_eq!((received.length, received.descriptors.len()), (3, 0));
        assert!(received.has_lost_descriptors);
    }

    #[test]
    fn message_larger_than_the_buffer_is_an_error() {
        let (one, other) = Channel::pair().unwrap();
        one.send([&[1; 20], b""], &[]).unwrap();
        assert!(other.receive(&mut [0; 16]).is_err());
    }
}
