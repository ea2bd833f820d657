//! Fast paths for `Vec<u8>` and `&[u8]`, which copy all bytes at once.
//!
//! serde passes a `Vec<u8>` as a list of elements of an unknown type. This module detects it by its
//! `TypeId`. Other lists of bytes, such as a `VecDeque<u8>`, are copied byte by byte.

use std::any::TypeId;
use std::fmt::{self, Display};
use std::mem::{ManuallyDrop, transmute_copy};

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

/// Returns the bytes in `elements` if they are a `&Vec<u8>` or a `&[u8]`.
#[inline]
pub(super) fn bytes_of<I>(elements: &I) -> Option<&[u8]> {
    let type_ = typeid::of::<I>();
    if type_ == TypeId::of::<&Vec<u8>>() {
        // SAFETY: `I` is `&Vec<u8>` with a lifetime that outlives `elements`.
        Some(unsafe { *(&raw const *elements).cast::<&Vec<u8>>() })
    } else if type_ == TypeId::of::<&[u8]>() {
        // SAFETY: `I` is `&[u8]` with a lifetime that outlives `elements`.
        Some(unsafe { *(&raw const *elements).cast::<&[u8]>() })
    } else {
        None
    }
}

/// Returns `bytes` as the value of `visitor` if it is serde's visitor of `Vec<u8>`; else returns the
/// visitor.
#[inline]
pub(super) fn visit<'de, V: Visitor<'de>>(bytes: &[u8], visitor: V) -> Result<V::Value, V> {
    let is_vec = typeid::of::<V::Value>() == TypeId::of::<Vec<u8>>();
    if !is_vec || visitor_of_vec() != Some(typeid::of::<V>()) {
        return Err(visitor);
    }
    let vec = ManuallyDrop::new(bytes.to_vec());
    // SAFETY: `V::Value` is `Vec<u8>`, and `vec` is neither used again nor dropped.
    Ok(unsafe { transmute_copy::<ManuallyDrop<Vec<u8>>, V::Value>(&vec) })
}

/// Returns the type of serde's visitor of `Vec<u8>`.
#[inline]
fn visitor_of_vec() -> Option<TypeId> {
    Vec::<u8>::deserialize(VisitorProbe).err()?.0
}

/// A deserializer that reports the type of its visitor as an error.
struct VisitorProbe;

#[derive(Debug)]
struct VisitorType(Option<TypeId>);

impl<'de> Deserializer<'de> for VisitorProbe {
    type Error = VisitorType;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, VisitorType> {
        Err(VisitorType(Some(typeid::of::<V>())))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl Display for VisitorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type of a visitor")
    }
}

impl std::error::Error for VisitorType {}

impl de::Error for VisitorType {
    fn custom<T: Display>(_: T) -> Self {
        Self(None)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use serde::de::SeqAccess;
    use serde::de::value::Error;

    use super::*;

    #[test]
    fn byte_slices_are_detected_by_type() {
        let (vec, array) = (vec![1_u8, 2], [1_u8, 2]);
        assert_eq!(bytes_of(&&vec), Some(&[1, 2][..]));
        assert_eq!(bytes_of(&&array[..]), Some(&[1, 2][..]));
        assert_eq!(bytes_of(&&vec![1_i8]), None);
        assert_eq!(bytes_of(&&VecDeque::from([1_u8])), None);
        assert_eq!(bytes_of(&vec), None);
    }

    /// A custom visitor that returns a `Vec<u8>` with different content.
    struct Doubling;

    impl<'de> Visitor<'de> for Doubling {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = seq.next_element::<u8>()? {
                bytes.push(2 * byte);
            }
            Ok(bytes)
        }
    }

    /// A deserializer that passes its visitor to [`visit`].
    struct Visiting;

    impl<'de> Deserializer<'de> for Visiting {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visit(&[1, 2], visitor).map_err(|_| de::Error::custom("another visitor"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
            unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
            ignored_any
        }
    }

    #[test]
    fn only_the_visitor_of_byte_vectors_is_detected() {
        assert_eq!(Vec::<u8>::deserialize(Visiting).unwrap(), [1, 2]);
        assert_eq!(Box::<[u8]>::deserialize(Visiting).unwrap()[..], [1, 2]);
        assert!(Vec::<i8>::deserialize(Visiting).is_err());
        assert!(VecDeque::<u8>::deserialize(Visiting).is_err());
        assert!(visit(&[1, 2], Doubling).is_err());
    }
}
