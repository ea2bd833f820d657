//! Lists.

use crate::error::Fault;
use crate::value::{Error, Head};
use crate::wit::layout::{Kind, Layout};
use crate::wit::lower::{Lowering, Outcome, Problem, mismatch, put, put_pair};
use crate::wit::memory::GuestMemory;

/// The bytes of a list that are written to the guest at once.
const CHUNK: usize = 32 << 10;

impl<M: GuestMemory> Lowering<'_, '_, M> {
    pub(super) fn list(&mut self, of: &Layout, element: &Layout, out: &mut [u8]) -> Outcome<M> {
        let before = self.rest();
        match self.decoder.head()? {
            Head::Bytes(bytes) if matches!(element.kind, Kind::U8) => {
                let length = u32::try_from(bytes.len()).map_err(|_| too_large())?;
                let at = self.memory.allocate(1, length).map_err(Problem::Memory)?;
                self.memory.write(at, bytes).map_err(Problem::Memory)?;
                put_pair(out, at, length);
                Ok(())
            }
            Head::Bytes(bytes) if let Some(narrow) = whole_number(&element.kind) => {
                self.elements(element, bytes.len(), out, |_, element, index, out| {
                    let byte = bytes.get(index).copied().unwrap_or_default();
                    if narrow && byte > i8::MAX as u8 {
                        return mismatch(element, &[0xcc, byte]);
                    }
                    put(out, &[byte]);
                    Ok(())
                })
            }
            Head::List(length) => {
                // Each element has at least one byte.
                if length > self.rest().len() {
                    return Err(Error::malformed("the bytes end too early").into());
                }
                self.elements(element, length, out, |lowering, element, _, out| {
                    lowering.value(element, out)
                })
            }
            _ => mismatch(of, before),
        }
    }

    /// Writes `length` elements by `write`, in chunks, so that the host doesn't hold a copy of a large list.
    fn elements(
        &mut self,
        element: &Layout,
        length: usize,
        out: &mut [u8],
        mut write: impl FnMut(&mut Self, &Layout, usize, &mut [u8]) -> Outcome<M>,
    ) -> Outcome<M> {
        let size = element.size as usize;
        let total = size.checked_mul(length).and_then(|total| u32::try_from(total).ok());
        let total = total.ok_or_else(too_large)?;
        let at = self.memory.allocate(element.align, total).map_err(Problem::Memory)?;
        // The number of elements is at most that of the bytes, or of the input.
        put_pair(out, at, length as u32);
        let per_chunk = (CHUNK / size.max(1)).clamp(1, length.max(1));
        let mut chunk = vec![0; per_chunk * size];
        let mut first = 0;
        while first < length {
            let count = per_chunk.min(length - first);
            if first > 0 {
                chunk.fill(0);
            }
            for index in 0..count {
                let target = chunk.get_mut(index * size..(index + 1) * size).unwrap_or_default();
                write(self, element, first + index, target)
                    .map_err(|it| it.at_index(first + index))?;
            }
            let bytes = chunk.get(..count * size).unwrap_or_default();
            let target = at + (first * size) as u32;
            self.memory.write(target, bytes).map_err(Problem::Memory)?;
            first += count;
        }
        Ok(())
    }
}

/// Returns whether the type is that of whole numbers, and if so, whether a byte may be too large for it.
fn whole_number(kind: &Kind) -> Option<bool> {
    match kind {
        Kind::S8 => Some(true),
        Kind::S16 | Kind::S32 | Kind::S64 | Kind::U16 | Kind::U32 | Kind::U64 => Some(false),
        _ => None,
    }
}

#[cold]
fn too_large<E>() -> Problem<E> {
    let message = "a list needs more than the 4 GiB that a memory has";
    Error::new(Fault::Type, message).into()
}
