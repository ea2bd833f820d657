//! Messages on a socket: the length as four bytes, the most significant one first, and the encoded message.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Reads a message of at most `at_most` bytes; `None` at the end of the stream.
pub(super) async fn read(stream: &mut UnixStream, at_most: u64) -> io::Result<Option<Vec<u8>>> {
    let length = match stream.read_u32().await {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        length => length?,
    };
    if u64::from(length) > at_most {
        let problem = format!("a message of {length} bytes exceeds the limit of {at_most}");
        return Err(io::Error::new(ErrorKind::InvalidData, problem));
    }
    let mut message = Vec::new();
    stream.take(length.into()).read_to_end(&mut message).await?;
    match message.len() == length as usize {
        true => Ok(Some(message)),
        false => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// Writes a message.
pub(super) async fn write(stream: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await
}

/// Checks that the process at the other end belongs to the user of this one.
pub(super) fn check_peer(stream: &UnixStream) -> io::Result<()> {
    let (user, peer) = (rustix::process::geteuid().as_raw(), stream.peer_cred()?.uid());
    if peer == user {
        return Ok(());
    }
    let problem = format!("the other process belongs to the user with id {peer}");
    Err(io::Error::new(ErrorKind::PermissionDenied, problem))
}
