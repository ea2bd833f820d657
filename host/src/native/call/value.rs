//! Decoding of a run's value into the type that the program expects.

use bytes::Bytes;
use hype_stage::{StageError, StageErrorKind};
use hype_wire::{Fault, WireError, codec};
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// Decodes the value that `function` returned.
pub(crate) fn decode<T: DeserializeOwned + 'static>(function: &str, bytes: Bytes) -> Result<T> {
    codec::from_vec(Vec::from(bytes)).map_err(|error| {
        let hint = "the type of the result must be the one that the function returns";
        unreadable(&format!("the value of `{function}`"), error, hint.to_owned())
    })
}

/// Decodes the value that `function`, which has WIT types, returned.
pub(crate) fn decode_wit<T>(function: &str, bytes: Bytes) -> Result<T>
where
    T: DeserializeOwned + 'static,
{
    codec::from_wit(Vec::from(bytes)).map_err(|error| {
        let hint = "cargo hype inspect prints the function's types, and docs/wit.md the Rust types that fit";
        unreadable(&format!("the value of `{function}`"), error, hint.to_owned())
    })
}

/// Decodes the value of the attached run `id`. If decoding fails, the hint names the method to attach again.
pub(crate) fn decode_attached<T>(id: &str, bytes: Bytes) -> Result<T>
where
    T: DeserializeOwned + 'static,
{
    // The function may have WIT types: only its submitter knows.
    codec::from_wit(Vec::from(bytes)).map_err(|error| {
        let hint = format!(
            "the run and its value are as they were: attach to it again with the type that the \
             function returns, submitter.attach::<TYPE>(\"{id}\")"
        );
        unreadable(&format!("the value of run {id}"), error, hint)
    })
}

/// Returns the error of a value that can't be decoded. `type_hint` is the hint for a value of another type.
fn unreadable(value: &str, error: WireError, type_hint: String) -> Error {
    let (message, hint) = match error.fault() {
        Fault::Depth => (
            format!("{value} nests too deep to be read"),
            "values nest at most 128 levels: return a flatter one, such as a list of nodes that \
             name each other by their index"
                .to_owned(),
        ),
        Fault::Malformed => (
            format!("{value} is not MessagePack as hype reads it"),
            "the component encodes its value without hype's SDK, and wrongly: docs/values.md describes \
             the encoding"
                .to_owned(),
        ),
        _ => (format!("{value} is not what the program expects"), type_hint),
    };
    Error::input(message).because(error).hint(hint)
}

/// Returns the error of a staged value that can't be read.
pub(crate) fn unavailable(error: StageError) -> Error {
    if error.kind() != StageErrorKind::Altered {
        return error.into();
    }
    Error::new(ErrorKind::Stage, "the value was altered after the runner wrote it")
        .because(error)
        .hint("another user writes to the stage: check who may, and submit the closure again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(bytes: &[u8]) -> String {
        decode::<Vec<Vec<u8>>>("train", Bytes::copy_from_slice(bytes)).unwrap_err().report()
    }

    #[test]
    fn each_decoding_fault_has_a_message_and_a_hint() {
        let of_another_type = report(b"\x91\xa1x");
        assert!(of_another_type.contains("not what the program expects"), "{of_another_type}");
        assert!(of_another_type.contains("at [0]: expected"), "{of_another_type}");
        assert!(of_another_type.contains("Hint: the type of the result"), "{of_another_type}");

        let deep = report(&[vec![0x91; 129], vec![0xc0]].concat());
        assert!(deep.contains("nests too deep") && deep.contains("Hint: values nest at most 128"));

        for bytes in [&b"not MessagePack"[..], &[0xc1], &[0x92, 0x90], &[0x90, 0x90]] {
            let malformed = report(bytes);
            assert!(malformed.contains("not MessagePack as hype reads it"), "{malformed}");
            assert!(malformed.contains("Hint: the component encodes"), "{malformed}");
        }
    }
}
