use std::any::type_name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use hype_guest::__internal::{
    Argument, Arguments, BoundArguments, FunctionRecord, ParameterRecord,
};
use hype_wire::{Bytes, Failure, FailureKind, codec};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::types::{
    Adjacent, Anything, Chain, Envelope, Expression, Flat, Message, Nested, Order, Shape, Unit,
};

/// The maximum size of an error message for any input, in bytes.
const MAX_MESSAGE: usize = 4096;

/// Decodes the arguments of a function and encodes them again.
type Signature = fn(&[u8]) -> Result<Vec<u8>, Failure>;

macro_rules! signature {
    ($($parameter:ty),*) => {
        |bytes| {
            const PARAMETERS: &[ParameterRecord<'static>] = &[
                $(ParameterRecord { name: "it", type_name: stringify!($parameter) }),*
            ];
            static RECORD: FunctionRecord<'static> = FunctionRecord {
                package: "fuzz-targets",
                name: "function",
                file: "src/values.rs",
                line: 1,
                docs: "",
                parameters: PARAMETERS,
                result: "()",
            };
            let mut arguments = Arguments::new(bytes.to_vec(), &RECORD)?;
            let bound = BoundArguments::new(PARAMETERS.len() as u32);
            $(let bound = bound.with(arguments.take::<$parameter>()?);)*
            arguments.finish()?;
            Ok(bound.finish().unwrap_or_else(|error| panic!("cannot write it again: {error}")))
        }
    };
}

const SIGNATURES: &[Signature] = &[
    signature!(String),
    signature!(Order),
    signature!(Vec<u8>),
    signature!(Vec<u8>, Bytes),
    signature!(Option<u32>, Shape),
    signature!(Nested, Expression),
    signature!(String, Option<u32>, Vec<Order>),
    signature!(u128, i128, (f64, f32), BTreeMap<String, Vec<Shape>>),
    signature!(Message, Anything, Envelope, Chain, ()),
];

/// Decodes bytes as the arguments of a function, by the code that is compiled into a component.
pub(crate) fn arguments(bytes: &[u8]) -> bool {
    let read = SIGNATURES.iter().filter(|signature| match signature(bytes) {
        Ok(written) => {
            let again = signature(&written);
            let again = again.unwrap_or_else(|error| panic!("cannot read it again: {error}"));
            assert_eq!(again, written);
            true
        }
        Err(failure) => {
            assert_eq!(failure.kind, FailureKind::Incompatible);
            assert!(failure.message.len() <= MAX_MESSAGE, "{} bytes", failure.message.len());
            false
        }
    });
    read.count() > 0
}

/// Returns whether bytes are a valid result of one type.
type ResultCheck = fn(&[u8]) -> bool;

macro_rules! results {
    ($($value:ty),* $(,)?) => {
        &[$((type_name::<$value>, is_result::<$value>)),*]
    };
}

/// Returns the name of a type.
type Name = fn() -> &'static str;

const RESULTS: &[(Name, ResultCheck)] = results![
    (),
    bool,
    u8,
    i64,
    u128,
    i128,
    f32,
    f64,
    char,
    String,
    Bytes,
    Vec<u8>,
    [u8; 4],
    [u64; 3],
    (u8, String),
    (u8, i8, u16, i16, u32, i32),
    Option<u64>,
    Option<Vec<u8>>,
    Option<()>,
    Option<Option<Option<u8>>>,
    BTreeMap<Option<Option<bool>>, u128>,
    Result<u8, String>,
    Vec<()>,
    Vec<bool>,
    Vec<u64>,
    Vec<String>,
    Vec<Vec<u8>>,
    Vec<Vec<Vec<String>>>,
    Vec<Option<Bytes>>,
    VecDeque<u32>,
    BTreeSet<String>,
    BTreeMap<u8, Option<Shape>>,
    BTreeMap<String, BTreeMap<String, f64>>,
    Box<[String]>,
    Duration,
    IpAddr,
    NonZeroU8,
    PathBuf,
    Range<u32>,
    Order,
    Vec<Order>,
    Shape,
    Vec<Shape>,
    Nested,
    Expression,
    Chain,
    Message,
    Vec<Adjacent>,
    Anything,
    Envelope,
    Flat,
    Unit,
];

/// Returns the names of the result types, each with a function that returns whether bytes are a valid value.
pub fn types_of_results() -> impl Iterator<Item = (&'static str, ResultCheck)> {
    RESULTS.iter().map(|(name, check)| (name(), *check))
}

/// Decodes bytes as a result of each type, at the submitter.
pub(crate) fn results(bytes: &[u8]) -> bool {
    let is_one_value = codec::from_slice::<IgnoredAny>(bytes).is_ok();
    if is_one_value {
        assert_eq!(
            end_of_value(bytes),
            Some(bytes.len()),
            "decoders disagree about the value's end"
        );
    }
    let is_valid = RESULTS.iter().filter(|(_, check)| check(bytes)).count() > 0;
    assert!(is_one_value || !is_valid, "bytes that are not one value are decoded");
    is_valid
}

/// Returns the end of the first value in `bytes` by another decoder.
fn end_of_value(bytes: &[u8]) -> Option<usize> {
    let mut decoder = rmp_serde::Deserializer::new(std::io::Cursor::new(bytes));
    IgnoredAny::deserialize(&mut decoder).ok()?;
    usize::try_from(decoder.position()).ok()
}

fn is_result<T: Argument>(bytes: &[u8]) -> bool {
    let value = match codec::from_vec::<T>(bytes.to_vec()) {
        Ok(value) => value,
        Err(error) => {
            assert!(error.to_string().len() <= MAX_MESSAGE, "{} bytes", error.to_string().len());
            return false;
        }
    };
    let bytes = written(value);
    let again = codec::from_vec::<T>(bytes.clone());
    let again = again.unwrap_or_else(|error| {
        panic!("cannot read a {} again: {error}: {bytes:x?}", type_name::<T>())
    });
    assert_eq!(written(again), bytes, "{}", type_name::<T>());
    true
}

fn written<T: Argument>(value: T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let result = codec::append_owned(&mut bytes, value);
    result.unwrap_or_else(|error| panic!("cannot write a {}: {error}", type_name::<T>()));
    bytes
}
