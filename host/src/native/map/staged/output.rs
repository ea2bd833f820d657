//! The end of an item's output, for its result.

use std::sync::{Arc, Mutex, PoisonError};

use hype_wire::ItemResult;

#[cfg(any(feature = "local", feature = "docker"))]
use crate::run::log::LogStream;

/// The end of what an item has written. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutputEnd(Arc<Mutex<[Vec<u8>; 2]>>);

impl OutputEnd {
    /// Appends bytes that the item wrote.
    #[cfg(any(feature = "local", feature = "docker"))]
    pub(crate) fn write(&self, stream: LogStream, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut kept[stream as usize];
        kept.extend_from_slice(bytes);
        // Not after each write, since it moves all that is kept.
        if kept.len() > 2 * ItemResult::MAX_OUTPUT {
            shorten(kept);
        }
    }

    /// Takes the end of the standard output and that of the standard error.
    pub(crate) fn take(&self) -> [Vec<u8>; 2] {
        let mut kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        kept.iter_mut().for_each(shorten);
        kept
    }
}

/// Removes the beginning of output that is too long.
fn shorten(kept: &mut Vec<u8>) {
    kept.drain(..kept.len().saturating_sub(ItemResult::MAX_OUTPUT));
}

#[cfg(test)]
#[cfg(any(feature = "local", feature = "docker"))]
mod tests {
    use super::*;

    #[test]
    fn end_of_long_output_is_kept() {
        let output = OutputEnd::default();
        for letter in [b'a', b'b', b'c'] {
            output.write(LogStream::Stdout, &[letter; 50 << 10]);
        }
        output.write(LogStream::Stderr, b"no");
        let [stdout, stderr] = output.take();
        assert_eq!((stdout.len(), stdout[0], stderr), (64 << 10, b'b', b"no".to_vec()));
        assert_eq!(stdout[14 << 10..], [b'c'; 50 << 10]);
    }
}
