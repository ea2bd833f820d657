//! Which formats this version of hype writes and reads, and what to do when they don't meet.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::object;
use crate::shorten::shortened;

/// How many bytes of another hype's version are quoted.
pub(crate) const MAX_VERSION: usize = 64;

/// The version of hype that this program was built with.
pub const HYPE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The format of the manifests, outcomes and function records that this version writes, and of the
/// arguments and values that go with them.
pub const WIRE_FORMAT: u32 = 3;

/// The oldest format that this version still reads.
pub const OLDEST_FORMAT: u32 = 3;

/// A type that stands in an object of its own and says which format it is in.
pub(crate) trait Versioned: Serialize + DeserializeOwned {
    /// What the object is, for messages: `run manifest`.
    const WHAT: &'static str;
    /// How many bytes it can have.
    const MAX_SIZE: u64;
    /// What to do when it was written by a newer hype than ours.
    const IF_NEWER: &'static str;
    /// What to do when it was written by an older hype than we can read.
    const IF_OLDER: &'static str;
}

/// The fields that every format has, however old or new.
#[derive(Deserialize)]
struct Header {
    format: u32,
    hype: String,
}

/// The bytes of an object, of which there are not more than its readers take.
pub(crate) fn write<T: Versioned>(object: &T) -> Result<Vec<u8>, WireError> {
    let bytes = object::to_vec(object)?;
    check_size::<T>(bytes.len())?;
    Ok(bytes)
}

/// Reads `bytes`, after making sure that they are in a format that we know.
pub(crate) fn read<T: Versioned>(bytes: &[u8]) -> Result<T, WireError> {
    let malformed =
        |error: WireError| WireError::new(format!("the {} cannot be read", T::WHAT)).because(error);
    check_size::<T>(bytes.len())?;
    let header: Header = object::from_slice(bytes).map_err(malformed)?;
    check(&header, T::WHAT, T::IF_NEWER, T::IF_OLDER)?;
    object::from_slice(bytes).map_err(malformed)
}

fn check_size<T: Versioned>(size: usize) -> Result<(), WireError> {
    if size as u64 <= T::MAX_SIZE {
        return Ok(());
    }
    let (what, max) = (T::WHAT, T::MAX_SIZE);
    Err(WireError::new(format!("the {what} has {size} bytes, of {max} that it can have")))
}

fn check(header: &Header, what: &str, newer: &str, older: &str) -> Result<(), WireError> {
    let format = &header.format;
    let hype = &shortened(header.hype.clone(), MAX_VERSION);
    let advice = if *format > WIRE_FORMAT {
        newer
    } else if *format < OLDEST_FORMAT {
        older
    } else {
        return Ok(());
    };
    Err(WireError::new(format!(
        "the {what} is in format {format}, written by hype {hype}; \
         this is hype {HYPE_VERSION}, which reads formats {OLDEST_FORMAT} to {WIRE_FORMAT}: {}",
        advice.replace("{hype}", hype)
    )))
}
