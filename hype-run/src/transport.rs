//! Large arguments and values that go from another process into the memory of a guest, and back, without a copy between.

use std::io;
use std::sync::Arc;

use hype_wire::wit::MAX_BYTES_HEAD;

/// The encoded arguments of a call, a MessagePack array.
#[derive(Clone, Copy)]
pub(crate) enum Arguments<'a> {
    Bytes(&'a [u8]),
    Source(&'a dyn ArgumentSource),
}

/// Has large arguments.
pub(crate) trait ArgumentSource: Send + Sync {
    /// Returns their size, which is more than [`HEAD`], in bytes.
    fn size(&self) -> usize;

    /// Reads the next bytes into `buffer`. The first read is of all bytes, or of the first [`HEAD`]; the second of the rest.
    ///
    /// # Errors
    ///
    /// When they can't be read.
    fn read_to(&self, buffer: &mut [u8]) -> io::Result<()>;

    /// Reads all bytes.
    ///
    /// # Errors
    ///
    /// When they can't be read.
    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.size()];
        self.read_to(&mut bytes)?;
        Ok(bytes)
    }
}

/// The number of bytes at the beginning of arguments that can be read alone.
pub(crate) const HEAD: usize = 16;

const _: () = assert!(HEAD >= MAX_BYTES_HEAD);

/// Takes a large value where it is in the guest's memory.
pub(crate) trait ValueSink: Send + Sync {
    /// Takes the MessagePack of the value, in two parts. Returns false if the value must be copied instead.
    fn take(&self, value: [&[u8]; 2]) -> bool;
}

tokio::task_local! {
    /// The sink of the call that this task makes. wasmtime passes nothing of the caller to the conversion of a value.
    static SINK: Arc<dyn ValueSink>;
}

/// Makes `call`, whose value `sink` may take.
pub(crate) async fn with_sink<T>(
    sink: Option<&Arc<dyn ValueSink>>,
    call: impl Future<Output = T>,
) -> T {
    match sink {
        Some(sink) => SINK.scope(Arc::clone(sink), call).await,
        None => call.await,
    }
}

/// Lets the sink of the call take the value. Returns false if it doesn't, or if there is no sink.
pub(crate) fn take(value: [&[u8]; 2]) -> bool {
    SINK.try_with(|sink| sink.take(value)).unwrap_or(false)
}
