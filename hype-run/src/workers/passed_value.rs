//! A large value that a worker sends to the program from the guest's memory, without a copy of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hype_wire::Job;

use super::channel::Channel;
use super::message::{FromWorkerKind, MAX_BODY, begin, without_head};
use crate::limits::Bounds;
use crate::transport::ValueSink;

/// The size from which on a value is sent from the guest's memory. A smaller one is copied, so that the end of a short call
/// is one message.
const MIN_SIZE: u64 = 1 << 20;

/// Sends the value of one call.
pub(super) struct PassedValue {
    channel: Arc<Channel>,
    /// The maximum size, in bytes. A larger value makes the call fail.
    max_size: u64,
    has_sent: AtomicBool,
}

impl PassedValue {
    pub(super) fn new(channel: &Arc<Channel>, job: &Job) -> Self {
        let max_size = Bounds::from(&job.limits).value;
        Self { channel: Arc::clone(channel), max_size, has_sent: AtomicBool::new(false) }
    }

    /// Withdraws the value of a call that has failed afterwards.
    pub(super) fn withdraw(&self) -> io::Result<()> {
        match self.has_sent.swap(false, Ordering::Relaxed) {
            true => self.begin(0),
            false => Ok(()),
        }
    }

    fn begin(&self, size: u64) -> io::Result<()> {
        self.channel.send([&begin(FromWorkerKind::Value as u8, &size)?, b""], &[])
    }

    fn send(&self, value: [&[u8]; 2]) -> io::Result<()> {
        self.begin(size(value))?;
        for bytes in value {
            let last = send_all_but_last(&self.channel, bytes)?;
            self.channel.send([&without_head(FromWorkerKind::Part as u8), last], &[])?;
        }
        Ok(())
    }
}

impl ValueSink for PassedValue {
    fn take(&self, value: [&[u8]; 2]) -> bool {
        if !(MIN_SIZE..=self.max_size).contains(&size(value)) {
            return false;
        }
        self.has_sent.store(true, Ordering::Relaxed);
        // The error means that the program is gone. The end of the call, which comes next, ends this process.
        let _ = self.send(value);
        true
    }
}

fn size(value: [&[u8]; 2]) -> u64 {
    value.iter().map(|part| part.len() as u64).sum()
}

/// Sends the parts of a value or a failure, and returns the last one, which its end contains.
pub(super) fn send_all_but_last<'a>(channel: &Channel, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
    let mut parts = bytes.chunks(MAX_BODY);
    let last = parts.next_back().unwrap_or_default();
    for part in parts {
        channel.send([&without_head(FromWorkerKind::Part as u8), part], &[])?;
    }
    Ok(last)
}
