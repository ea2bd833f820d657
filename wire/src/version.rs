//! The format versions that this hype writes and reads, and advice for a mismatch.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::object;
use crate::shorten::shorten;

/// The maximum number of quoted bytes of a foreign hype's version.
pub(crate) const MAX_VERSION: usize = 64;

/// The version of hype in this program.
pub const HYPE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The format that this version writes: of manifests, outcomes, function records, arguments and
/// values.
pub const WIRE_FORMAT: u32 = 3;

/// The oldest format that this version reads.
pub const OLDEST_FORMAT: u32 = 3;

/// A type that fills a staged object and records its format.
pub(crate) trait Versioned: Serialize + DeserializeOwned {
    /// The name of the object in messages: `run manifest`.
    const OBJECT: &'static str;
    /// The maximum size of the encoded object, in bytes.
    const MAX_SIZE: u64;
    /// Advice for an object whose format is newer than [`WIRE_FORMAT`].
    const IF_NEWER: &'static str;
    /// Advice for an object whose format is older than [`OLDEST_FORMAT`].
    const IF_OLDER: &'static str;
}

/// The fields that every format has.
#[derive(Deserialize)]
struct Header {
    format: u32,
    #[serde(rename = "hype")]
    hype_version: String,
}

/// Encodes an object.
///
/// # Errors
///
/// Returns an error if the object exceeds its maximum size, since readers would reject it.
pub(crate) fn write<T: Versioned>(object: &T) -> Result<Vec<u8>, WireError> {
    let bytes = object::to_vec(object)?;
    check_size::<T>(bytes.len())?;
    Ok(bytes)
}

/// Checks the format of `bytes` and decodes them.
pub(crate) fn read<T: Versioned>(bytes: &[u8]) -> Result<T, WireError> {
    let malformed = |error: WireError| {
        WireError::new(format!("the {} cannot be read", T::OBJECT)).because(error)
    };
    check_size::<T>(bytes.len())?;
    let header: Header = object::from_slice(bytes).map_err(malformed)?;
    check_format::<T>(&header)?;
    object::from_slice(bytes).map_err(malformed)
}

fn check_size<T: Versioned>(size: usize) -> Result<(), WireError> {
    if size as u64 <= T::MAX_SIZE {
        return Ok(());
    }
    let (object, max) = (T::OBJECT, T::MAX_SIZE);
    Err(WireError::new(format!("the {object} has {size} bytes, of {max} that it can have")))
}

fn check_format<T: Versioned>(header: &Header) -> Result<(), WireError> {
    let format = header.format;
    let hype = &shorten(header.hype_version.clone(), MAX_VERSION);
    let advice = if format > WIRE_FORMAT {
        T::IF_NEWER
    } else if format < OLDEST_FORMAT {
        T::IF_OLDER
    } else {
        return Ok(());
    };
    let (object, advice) = (T::OBJECT, advice.replace("{hype}", hype));
    Err(WireError::new(format!(
        "the {object} is in format {format}, written by hype {hype}; \
         this is hype {HYPE_VERSION}, which reads {}: {advice}",
        format_range(OLDEST_FORMAT, WIRE_FORMAT)
    )))
}

/// Describes the formats from `oldest` to `newest`: `format 3`, or `formats 2 to 3`.
pub(crate) fn format_range(oldest: u32, newest: u32) -> String {
    if oldest == newest {
        format!("format {newest}")
    } else {
        format!("formats {oldest} to {newest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_of_one_format_is_singular() {
        assert_eq!(format_range(3, 3), "format 3");
        assert_eq!(format_range(2, 3), "formats 2 to 3");
    }
}
