//! Blobs whose parts are hashed independently, so that several threads hash one blob.

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};

use crate::blob::Blob;
use crate::digest::Digest;

/// Computes the hash of one part of a blob. [`Blob::of_parts`] joins the hashes of all parts.
///
/// All parts of a blob have [`SIZE`](Self::SIZE) bytes, except for the last one, which has 1 to `SIZE` bytes.
///
/// ```
/// use hype_wire::{Blob, PartHasher};
///
/// let bytes = vec![7; PartHasher::SIZE + 1];
/// let hash = |number: usize, part: &[u8]| {
///     let mut hasher = PartHasher::new(number as u64);
///     hasher.update(part);
///     hasher.finish()
/// };
/// let parts = [hash(0, &bytes[..PartHasher::SIZE]), hash(1, &bytes[PartHasher::SIZE..])];
/// assert_eq!(Blob::of_parts(&parts), Blob::of(&bytes));
/// ```
#[derive(Debug)]
pub struct PartHasher {
    number: u64,
    hasher: blake3::Hasher,
}

/// The hash of one part of a blob.
#[derive(Debug, Clone)]
pub struct PartHash {
    size: u64,
    /// The part's node in the hash tree of the blob.
    node: ChainingValue,
    /// The digest of a blob that consists of this part alone.
    alone: Option<Digest>,
}

impl PartHasher {
    /// The size of a part, in bytes.
    // The parts are nodes of the hash tree, so it is a power of two.
    pub const SIZE: usize = 1 << 20;

    /// Creates the hasher of the part with this number, counted from 0.
    pub fn new(number: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(number.saturating_mul(Self::SIZE as u64));
        Self { number, hasher }
    }

    /// Adds the next bytes of the part.
    ///
    /// # Panics
    ///
    /// When a part other than the first gets more than [`SIZE`](Self::SIZE) bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Returns the hash of the part.
    ///
    /// # Panics
    ///
    /// When the part has no bytes.
    pub fn finish(&self) -> PartHash {
        PartHash {
            size: self.hasher.count(),
            node: self.hasher.finalize_non_root(),
            alone: (self.number == 0).then(|| self.hasher.finalize().into()),
        }
    }
}

impl Blob {
    /// Returns the blob that consists of `parts`, in the order of their numbers. Without a part, that is the blob of no
    /// bytes.
    pub fn of_parts(parts: &[PartHash]) -> Self {
        let digest = match parts {
            [] => Digest::of(&[]),
            [part] => part.alone.unwrap_or_else(|| part.node.into()),
            _ => {
                let (left, right) = children(parts);
                merge_subtrees_root(&left, &right, Mode::Hash).into()
            }
        };
        Self { digest, size: parts.iter().map(|part| part.size).sum() }
    }
}

/// Returns the node of the tree over `parts`.
fn node(parts: &[PartHash]) -> ChainingValue {
    match parts {
        [part] => part.node,
        _ => {
            let (left, right) = children(parts);
            merge_subtrees_non_root(&left, &right, Mode::Hash)
        }
    }
}

/// Returns the two nodes below the node over two or more `parts`. The left one is over the largest power of two of parts
/// that leaves a part for the right one.
fn children(parts: &[PartHash]) -> (ChainingValue, ChainingValue) {
    let (left, right) = parts.split_at(parts.len().next_power_of_two() / 2);
    (node(left), node(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob_of_parts(bytes: &[u8]) -> Blob {
        let parts = bytes.chunks(PartHasher::SIZE).enumerate().map(|(number, part)| {
            let mut hasher = PartHasher::new(number as u64);
            let (first, rest) = part.split_at(part.len() / 3);
            hasher.update(first);
            hasher.update(rest);
            hasher.finish()
        });
        Blob::of_parts(&parts.collect::<Vec<_>>())
    }

    #[test]
    fn parts_have_the_digest_of_the_whole() {
        let bytes: Vec<u8> = (0..9 * PartHasher::SIZE).map(|index| (index % 251) as u8).collect();
        for parts in 0..9 {
            for more in [0, 1, 1025, PartHasher::SIZE - 1] {
                let bytes = &bytes[..parts * PartHasher::SIZE + more];
                assert_eq!(blob_of_parts(bytes), Blob::of(bytes), "{} bytes", bytes.len());
            }
        }
    }

    #[test]
    fn order_of_parts_matters() {
        let (mut first, mut second) = (PartHasher::new(0), PartHasher::new(1));
        first.update(&vec![1; PartHasher::SIZE]);
        second.update(&vec![2; PartHasher::SIZE]);
        let (first, second) = (first.finish(), second.finish());
        let right = Blob::of_parts(&[first.clone(), second.clone()]);
        assert_ne!(Blob::of_parts(&[second, first]).digest, right.digest);
    }
}
