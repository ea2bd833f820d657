//! Values that consist of one buffer (byte strings and text), which is reused instead of copied.

use std::any::{Any, TypeId};

use crate::bytes::Bytes;
use crate::error::{Fault, WireError};

/// A type that consists of one buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BufferType {
    Vec,
    Bytes,
    String,
}

/// The buffer of a value, and the value's type.
pub(crate) struct Buffer {
    buffer_type: BufferType,
    content: Vec<u8>,
}

impl BufferType {
    pub(crate) fn of<T: 'static>() -> Option<Self> {
        let wanted = TypeId::of::<T>();
        [
            (TypeId::of::<Vec<u8>>(), Self::Vec),
            (TypeId::of::<Bytes>(), Self::Bytes),
            (TypeId::of::<String>(), Self::String),
        ]
        .into_iter()
        .find_map(|(id, buffer_type)| (id == wanted).then_some(buffer_type))
    }

    /// Returns the content of the encoded value if it fills `bytes` exactly.
    pub(crate) fn content(self, mut bytes: &[u8]) -> Option<&[u8]> {
        let length = match self {
            Self::Vec | Self::Bytes => rmp::decode::read_bin_len(&mut bytes).ok()?,
            Self::String => rmp::decode::read_str_len(&mut bytes).ok()?,
        };
        (bytes.len() == usize::try_from(length).ok()?).then_some(bytes)
    }

    /// Returns the value with this content. `T` is the type that this value stands for.
    pub(crate) fn value<T: 'static>(self, content: Vec<u8>) -> Result<T, WireError> {
        let mut value: Option<T> = None;
        match self {
            Self::Vec => put(&mut value, content),
            Self::Bytes => put(&mut value, Bytes(content)),
            Self::String => put(
                &mut value,
                String::from_utf8(content).map_err(|error| {
                    WireError::new("the text is not UTF-8")
                        .because(error)
                        .with_fault(Fault::Malformed)
                })?,
            ),
        }
        value.ok_or_else(|| WireError::new("the value has another type than expected"))
    }
}

impl Buffer {
    /// Takes the buffer out of `value`, if its type consists of one buffer.
    pub(crate) fn take_from(value: &mut dyn Any) -> Option<Self> {
        let (buffer_type, content) = if let Some(vec) = value.downcast_mut::<Vec<u8>>() {
            (BufferType::Vec, std::mem::take(vec))
        } else if let Some(bytes) = value.downcast_mut::<Bytes>() {
            (BufferType::Bytes, std::mem::take(&mut bytes.0))
        } else {
            (BufferType::String, std::mem::take(value.downcast_mut::<String>()?).into_bytes())
        };
        Some(Self { buffer_type, content })
    }

    /// Appends the encoded value to `bytes`. If the content is longer than `bytes`, its buffer
    /// becomes the buffer of `bytes`.
    pub(crate) fn append_to(mut self, bytes: &mut Vec<u8>) -> Result<(), WireError> {
        let too_long = |error: Box<dyn std::error::Error + Send + Sync>| {
            WireError::new("it is longer than 4 GiB").because(error)
        };
        let length = u32::try_from(self.content.len()).map_err(|error| too_long(error.into()))?;
        match self.buffer_type {
            BufferType::Vec | BufferType::Bytes => rmp::encode::write_bin_len(bytes, length),
            BufferType::String => rmp::encode::write_str_len(bytes, length),
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
