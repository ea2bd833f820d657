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

/// How long a message about bytes that don't fit may be, whatever these are.
const MAX_MESSAGE: usize = 4096;

/// A function's reading of its arguments, which gives them as they are written again.
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

/// Bytes as a submitter would hand them to a function, by what is compiled into a component.
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

/// Bytes as a runner would hand them to a submitter, for a type.
type Reading = fn(&[u8]) -> bool;

macro_rules! results {
    ($($value:ty),* $(,)?) => {
        &[$((type_name::<$value>, returns::<$value>)),*]
    };
}

/// Gives the name of a type.
type Name = fn() -> &'static str;

const RESULTS: &[(Name, Reading)] = results![
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

/// The types as which results are read, each by a function that says whether some bytes are one.
pub fn types_of_results() -> impl Iterator<Item = (&'static str, Reading)> {
    RESULTS.iter().map(|(name, reading)| (name(), *reading))
}

/// Bytes as a runner would hand them to a submitter.
pub(crate) fn results(bytes: &[u8]) -> bool {
    let is_one_value = codec::from_slice::<IgnoredAny>(bytes).is_ok();
    if is_one_value {
        assert_eq!(end_of_value(bytes), Some(bytes.len()), "its end is elsewhere");
    }
    let read = RESULTS.iter().filter(|(_, reading)| reading(bytes)).count() > 0;
    assert!(is_one_value || !read, "something is read of what is not one value");
    read
}

/// Where another decoder finds the end of the value that `bytes` begin with.
fn end_of_value(bytes: &[u8]) -> Option<usize> {
    let mut decoder = rmp_serde::Deserializer::new(std::io::Cursor::new(bytes));
    IgnoredAny::deserialize(&mut decoder).ok()?;
    usize::try_from(decoder.position()).ok()
}

fn returns<T: Argument>(bytes: &[u8]) -> bool {
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
