//! The encoding of hype's own objects, such as manifests and outcomes: MessagePack with named fields.

use rmp_serde::decode::Error as DecodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::WireError;
use crate::shape::split_value;
use crate::shorten::shorten;

/// The maximum size of an error message, in bytes. It may quote untrusted bytes.
const MAX_PROBLEM: usize = 1 << 10;

/// Encodes an object.
pub(crate) fn to_vec<T: Serialize + ?Sized>(object: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    append(&mut bytes, object)?;
    Ok(bytes)
}

/// Encodes an object after the bytes that are there.
pub(crate) fn append<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    object: &T,
) -> Result<(), WireError> {
    object
        .serialize(&mut rmp_serde::Serializer::new(bytes).with_struct_map())
        .map_err(|error| WireError::new("the object has no MessagePack form").because(error))
}

/// Decodes an object that fills `bytes` exactly. An error names the path to the field that doesn't fit.
pub(crate) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (object, rest) = split_value(bytes)?;
    if !rest.is_empty() {
        return Err(WireError::new("something follows the object's end"));
    }
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(object);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    T::deserialize(tracked).map_err(|error| {
        let problem = shorten(describe(&error), MAX_PROBLEM);
        match track.path().to_string() {
            path if path == "." => WireError::new(problem),
            path => WireError::new(format!("at {}: {problem}", shorten(path, MAX_PROBLEM))),
        }
    })
}

/// Describes a decoding error without terms of the MessagePack format.
fn describe(error: &DecodeError) -> String {
    match error {
        DecodeError::TypeMismatch(marker) => {
            format!("expected a number or a boolean, found {marker:?}")
        }
        DecodeError::InvalidMarkerRead(_) | DecodeError::InvalidDataRead(_) => {
            "the bytes end too early".to_owned()
        }
        error => error.to_string(),
    }
}
