use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

/// The bytes of an object, in the pieces in which they arrived.
///
/// Pieces are shared, never copied, when an object is stored, sliced, copied or assembled from the parts of an
/// upload. So a large object is in memory once.
#[derive(Debug, Clone, Default)]
pub struct Content {
    pieces: Arc<[Bytes]>,
    len: u64,
}

impl Content {
    /// Returns the number of bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether the content is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns all bytes in one piece. Copies them if there are several pieces.
    pub fn to_bytes(&self) -> Bytes {
        if let [piece] = &*self.pieces {
            return piece.clone();
        }
        let mut bytes = BytesMut::with_capacity(usize::try_from(self.len).unwrap_or_default());
        for piece in &*self.pieces {
            bytes.extend_from_slice(piece);
        }
        bytes.freeze()
    }

    pub(crate) fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// Returns the bytes in `range`, which must end within the content.
    pub(crate) fn slice(&self, range: Range<u64>) -> Self {
        let mut offset = 0;
        let pieces = self.pieces.iter().filter_map(|piece| {
            let here = offset..offset + piece.len() as u64;
            offset = here.end;
            let start = range.start.max(here.start);
            let end = range.end.min(here.end);
            // Both offsets are within the piece, so they fit a usize.
            (start < end)
                .then(|| piece.slice((start - here.start) as usize..(end - here.start) as usize))
        });
        pieces.collect()
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        std::iter::once(bytes).collect()
    }
}

impl FromIterator<Bytes> for Content {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        let pieces: Arc<[Bytes]> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> Content {
        ["ab", "", "cde", "f"].into_iter().map(Bytes::from).collect()
    }

    #[test]
    fn slice_spans_pieces() {
        let content = pieces();
        let whole = "abcdef";
        assert_eq!(content.len(), 6);
        for start in 0..=6 {
            for end in start..=6 {
                let slice = content.slice(start..end);
                assert_eq!(slice.len(), end - start);
                assert_eq!(slice.to_bytes(), whole[start as usize..end as usize]);
            }
        }
    }
}
