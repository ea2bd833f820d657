//! A container of the fake daemon that runs items of a map, which do what their arguments say.

use hype_wire::Statistics;
use hype_wire::items::{AttemptEnd, Frames, ItemChunk, ItemMessage, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::FakeDaemon;

/// An item that returns its arguments.
pub(crate) const VALUE: &[u8] = b"value";
/// An item that writes a line.
pub(crate) const SAY: &[u8] = b"say";
/// An item whose container is killed when it first runs, after a note of `hype-run`.
pub(crate) const KILL_ONCE: &[u8] = b"kill once";
/// An item whose connection is closed when it first runs, while the container goes on.
pub(crate) const CUT_ONCE: &[u8] = b"cut once";
/// An item that is answered by bytes of another program when it first runs.
pub(crate) const GARBLE_ONCE: &[u8] = b"garble once";
/// An item that never ends.
pub(crate) const HANG: &[u8] = b"hang";

impl FakeDaemon {
    /// Runs items for an attached client until it closes the connection.
    pub(super) async fn run_items(
        &self,
        stream: &mut BufReader<TcpStream>,
        name: &str,
    ) -> std::io::Result<()> {
        let (mut frames, mut bytes) = (Frames::<ItemChunk>::default(), [0; 4096]);
        send(stream, &frame(&ItemMessage::Ready).unwrap()).await?;
        loop {
            let size = stream.read(&mut bytes).await?;
            if size == 0 {
                self.exit(name, 0);
                return Ok(());
            }
            frames.push(&bytes[..size]);
            while let Some(chunk) = frames.next_message().unwrap() {
                for item in chunk.items {
                    let is_first = self.begin_item(item.index, name);
                    match &*item.arguments {
                        KILL_ONCE if is_first => {
                            send_to(2, stream, b"hype-run: it dies").await?;
                            self.exit(name, 137);
                            return Ok(());
                        }
                        CUT_ONCE if is_first => return Ok(()),
                        GARBLE_ONCE if is_first => {
                            send(stream, b"hello from another program").await?;
                        }
                        HANG => {}
                        _ => {
                            if &*item.arguments == SAY {
                                let bytes = b"said\n".to_vec().into();
                                let output = ItemMessage::Output { is_error: false, bytes };
                                send(stream, &frame(&output).unwrap()).await?;
                            }
                            let (index, statistics) = (item.index, Statistics::default());
                            let end = AttemptEnd::Value(item.arguments);
                            let ended = ItemMessage::Ended { index, end, statistics };
                            send(stream, &frame(&ended).unwrap()).await?;
                        }
                    }
                }
            }
        }
    }

    /// Records that an item runs in the container `name`. Returns whether this is its first run.
    fn begin_item(&self, index: u64, name: &str) -> bool {
        self.change(|state| {
            let Some(first) = state.ran.get(&index) else {
                state.ran.insert(index, name.to_owned());
                return true;
            };
            if state.containers.contains_key(first) {
                state.overlapping.insert(index);
            }
            false
        })
    }

    /// Ends the container, unless it was removed.
    fn exit(&self, name: &str, status: i64) {
        self.change(|state| {
            if let Some(container) = state.containers.get_mut(name) {
                container.status = Some(status);
            }
        });
    }
}

/// Sends bytes of the standard output.
async fn send(stream: &mut BufReader<TcpStream>, bytes: &[u8]) -> std::io::Result<()> {
    send_to(1, stream, bytes).await
}

/// Sends bytes of the output with this file descriptor.
async fn send_to(
    descriptor: u8,
    stream: &mut BufReader<TcpStream>,
    bytes: &[u8],
) -> std::io::Result<()> {
    let head = [&[descriptor, 0, 0, 0], (bytes.len() as u32).to_be_bytes().as_slice()].concat();
    stream.write_all(&[head.as_slice(), bytes].concat()).await
}
