//! Values that are bytes or text as a whole, and so can keep their memory.

use std::any::{Any, TypeId};

use crate::bytes::Bytes;
use crate::error::{Fault, WireError};

/// Which of them a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WholeKind {
    Vec,
    Bytes,
    String,
}

/// One of them.
pub(crate) struct Whole {
    kind: WholeKind,
    content: Vec<u8>,
}

impl WholeKind {
    pub(crate) fn of<T: 'static>() -> Option<Self> {
        let type_ = TypeId::of::<T>();
        [
            (TypeId::of::<Vec<u8>>(), Self::Vec),
            (TypeId::of::<Bytes>(), Self::Bytes),
            (TypeId::of::<String>(), Self::String),
        ]
        .into_iter()
        .find_map(|(known, kind)| (known == type_).then_some(kind))
    }

    /// The content of such a value, if `bytes` are just that.
    pub(crate) fn content(self, mut bytes: &[u8]) -> Option<&[u8]> {
        let length = match self {
            Self::Vec | Self::Bytes => rmp::decode::read_bin_len(&mut bytes).ok()?,
            Self::String => rmp::decode::read_str_len(&mut bytes).ok()?,
        };
        (bytes.len() == usize::try_from(length).ok()?).then_some(bytes)
    }

    /// The value with this content; `T` is the type of which this is the kind.
    pub(crate) fn make<T: 'static>(self, content: Vec<u8>) -> Result<T, WireError> {
        let mut value: Option<T> = None;
        match self {
            Self::Vec => put(&mut value, content),
            Self::Bytes => put(&mut value, Bytes(content)),
            Self::String => put(
                &mut value,
                String::from_utf8(content).map_err(|error| {
                    WireError::new("it is no text: not UTF-8")
                        .because(error)
                        .with_fault(Fault::Malformed)
                })?,
            ),
        }
        value.ok_or_else(|| WireError::new("it is of another type than was said"))
    }
}

impl Whole {
    /// Takes the content out of `value`, if it is such a value.
    pub(crate) fn take_from(value: &mut dyn Any) -> Option<Self> {
        let (kind, content) = if let Some(vec) = value.downcast_mut::<Vec<u8>>() {
            (WholeKind::Vec, std::mem::take(vec))
        } else if let Some(bytes) = value.downcast_mut::<Bytes>() {
            (WholeKind::Bytes, std::mem::take(&mut bytes.0))
        } else {
            (WholeKind::String, std::mem::take(value.downcast_mut::<String>()?).into_bytes())
        };
        Some(Self { kind, content })
    }

    /// Writes it behind what `bytes` holds; where it is longer than that, its memory becomes theirs.
    pub(crate) fn append_to(mut self, bytes: &mut Vec<u8>) -> Result<(), WireError> {
        let too_long = |error: Box<dyn std::error::Error + Send + Sync>| {
            WireError::new("it is longer than 4 GiB").because(error)
        };
        let length = u32::try_from(self.content.len()).map_err(|error| too_long(error.into()))?;
        match self.kind {
            WholeKind::Vec | WholeKind::Bytes => rmp::encode::write_bin_len(bytes, length),
            WholeKind::String => rmp::encode::write_str_len(bytes, length),
        }
        .map_err(|error| too_long(error.into()))?;
        if bytes.len() < self.content.len() {
            self.content.reserve_exact(bytes.len());
            self.content.splice(..0, bytes.drain(..));
            *bytes = self.content;
        } else {
            bytes.append(&mut self.content);
        }
        Ok(())
    }
}

fn put<T: 'static>(slot: &mut dyn Any, value: T) {
    if let Some(slot) = slot.downcast_mut::<Option<T>>() {
        *slot = Some(value);
    }
}
