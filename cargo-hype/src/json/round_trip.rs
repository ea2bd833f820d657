//! Tests that `cargo hype call` accepts every value that it prints, with random values of known types.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};

use fastrand::Rng;
use hype_wire::{TextArgument, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::json;

/// The number of random values tested for each type.
const VALUES: u64 = 200;

/// Returns the text that `cargo hype call` prints for `value`.
fn printed<T: Serialize>(value: &T) -> String {
    let bytes = codec::to_vec(value).unwrap();
    let mut out = Vec::new();
    json::write(&bytes, &json::survey(&bytes).unwrap(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Returns the value that a parameter of type `T` receives for an argument.
fn accepted<T: DeserializeOwned + 'static>(text: &str) -> Result<T, String> {
    let argument = crate::arguments::typed(&[text.to_owned()]);
    let [argument] = <[TextArgument<_>; 1]>::try_from(argument).unwrap();
    let mut bytes = codec::array_head(1);
    argument.append_to(&mut bytes).unwrap();
    let (_, mut values) = codec::Values::of_array(bytes).unwrap();
    let value = values.read_owned::<T>().map_err(|error| error.to_string())?;
    values.finish().unwrap();
    Ok(value)
}

fn check<T: Random + Serialize + DeserializeOwned + Debug + 'static>() {
    for seed in 0..VALUES {
        let value = T::random(&mut Rng::with_seed(seed));
        let text = printed(&value);
        let back = accepted::<T>(&text);
        // Unlike `==`, this treats NaN as equal to NaN, and -0.0 as different from 0.0.
        let same = |back: &T| format!("{back:?}") == format!("{value:?}");
        assert!(back.as_ref().is_ok_and(same), "{value:?}\nprinted {text}\nread {back:?}");
    }
}

/// A type with random values.
trait Random {
    fn random(rng: &mut Rng) -> Self;
}

macro_rules! random {
    ($($type:ty: $rng:ident => $value:expr;)*) => {$(
        impl Random for $type {
            fn random($rng: &mut Rng) -> Self {
                $value
            }
        }
    )*};
}

/// Returns a number with a random number of bits.
fn bits(rng: &mut Rng) -> u128 {
    rng.u128(..) >> rng.u32(..128)
}

random! {
    (): _rng => ();
    bool: rng => rng.bool();
    u8: rng => bits(rng) as u8;
    i8: rng => bits(rng) as i8;
    u16: rng => bits(rng) as u16;
    i16: rng => bits(rng) as i16;
    u32: rng => bits(rng) as u32;
    i32: rng => bits(rng) as i32;
    u64: rng => bits(rng) as u64;
    i64: rng => bits(rng) as i64;
    u128: rng => bits(rng);
    i128: rng => if rng.bool() { bits(rng) as i128 } else { !(bits(rng) as i128) };
    f32: rng => f32::from_bits(bits(rng) as u32);
    f64: rng => match rng.u8(..8) {
        0 => f64::NAN,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        3 => f64::from(rng.i8(..)),
        _ => f64::from_bits(bits(rng) as u64),
    };
    char: rng => *rng.choice(&['a', '"', '\\', '\n', '1', '{', 'ä', '😀', '\u{7f}']).unwrap();
    String: rng => match rng.u8(..4) {
        0 => (*rng.choice(&["", "null", "true", "5", "$some", "$$some", "[1]", "{"]).unwrap()).into(),
        _ => Vec::<char>::random(rng).into_iter().collect(),
    };
    hype::Bytes: rng => hype::Bytes(Random::random(rng));
    IpAddr: rng => if rng.bool() { rng.u32(..).to_be_bytes().into() } else { rng.u128(..).to_be_bytes().into() };
    SocketAddr: rng => (IpAddr::random(rng), rng.u16(..)).into();
}

impl<T: Random> Random for Option<T> {
    fn random(rng: &mut Rng) -> Self {
        rng.bool().then(|| T::random(rng))
    }
}

impl<T: Random> Random for Box<T> {
    fn random(rng: &mut Rng) -> Self {
        Self::new(T::random(rng))
    }
}

impl<T: Random> Random for Vec<T> {
    fn random(rng: &mut Rng) -> Self {
        (0..rng.usize(..4)).map(|_| T::random(rng)).collect()
    }
}

impl<K: Random + Ord, V: Random> Random for BTreeMap<K, V> {
    fn random(rng: &mut Rng) -> Self {
        (0..rng.usize(..4)).map(|_| (K::random(rng), V::random(rng))).collect()
    }
}

impl<T: Random + Ord> Random for BTreeSet<T> {
    fn random(rng: &mut Rng) -> Self {
        (0..rng.usize(..4)).map(|_| T::random(rng)).collect()
    }
}

macro_rules! random_tuples {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: Random),*> Random for ($($name,)*) {
            fn random(rng: &mut Rng) -> Self {
                ($($name::random(rng),)*)
            }
        }
    )*};
}

random_tuples! { (A) (A B) (A B C) (A B C D) }

/// Defines a struct whose fields get random values.
macro_rules! structure {
    ($(#[$attribute:meta])* struct $name:ident $(<$type:ident>)? {
        $($(#[$field_attribute:meta])* $field:ident: $field_type:ty,)*
    }) => {
        $(#[$attribute])*
        #[derive(Debug, Serialize, Deserialize)]
        struct $name $(<$type>)? {
            $($(#[$field_attribute])* $field: $field_type,)*
        }

        impl $(<$type: Random>)? Random for $name $(<$type>)? {
            fn random(rng: &mut Rng) -> Self {
                Self { $($field: Random::random(rng),)* }
            }
        }
    };
}

/// Defines enums with every kind of variant, one for each enum representation of serde.
macro_rules! variants {
    ($($(#[$attribute:meta])* $name:ident { $($unit:ident)? };)*) => {$(
        #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        $(#[$attribute])*
        enum $name<T> {
            $($unit,)?
            Newtype(Held<T>),
            Struct { only: T, other: Option<u8> },
        }

        impl<T: Random> Random for $name<T> {
            fn random(rng: &mut Rng) -> Self {
                match rng.u8(..3) {
                    0 => Self::Newtype(Held { held: T::random(rng) }),
                    1 => Self::Struct { only: T::random(rng), other: Random::random(rng) },
                    _ => random_unit!($name rng $($unit)?),
                }
            }
        }
    )*};
}

macro_rules! random_unit {
    ($name:ident $rng:ident $unit:ident) => {
        Self::$unit
    };
    ($name:ident $rng:ident) => {
        Self::Struct { only: Random::random($rng), other: None }
    };
}

/// A struct, which the content of an internally tagged variant must be.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held<T> {
    held: T,
}

variants! {
    External { Unit };
    #[serde(tag = "type")]
    Internal { Unit };
    #[serde(tag = "type", content = "content")]
    Adjacent { Unit };
    #[serde(untagged)]
    Untagged {};
}

structure! {
    struct Flattened<T> {
        id: u8,
        #[serde(flatten)]
        rest: Rest<T>,
    }
}

structure! {
    struct Rest<T> {
        first: T,
        second: Option<T>,
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Newtype<T>(T);

impl<T: Random> Random for Newtype<T> {
    fn random(rng: &mut Rng) -> Self {
        Self(T::random(rng))
    }
}

/// Checks `T` in each position where serde deserializes it directly by its type.
fn check_typed<T: Random + Serialize + DeserializeOwned + Debug + 'static>() {
    check::<T>();
    check::<Newtype<T>>();
    check::<Option<T>>();
    check::<Option<Option<T>>>();
    check::<Vec<T>>();
    check::<(T, Vec<Option<T>>)>();
    check::<BTreeMap<String, T>>();
    check::<BTreeMap<(u8, char), T>>();
    check::<Rest<T>>();
    check::<External<T>>();
    check::<Adjacent<Box<Rest<T>>>>();
}

/// Checks `T` in each position where serde first buffers it.
fn check_buffered<T: Random + Serialize + DeserializeOwned + Debug + 'static>() {
    check::<Internal<T>>();
    check::<Untagged<T>>();
    check::<Flattened<T>>();
    check::<Vec<Internal<Rest<T>>>>();
}

fn check_anywhere<T: Random + Serialize + DeserializeOwned + Debug + 'static>() {
    check_typed::<T>();
    check_buffered::<T>();
}

fn check_key<K: Random + Ord + Serialize + DeserializeOwned + Debug + 'static>() {
    check_anywhere::<BTreeMap<K, u8>>();
}

#[test]
fn scalars_round_trip() {
    check_anywhere::<()>();
    check_anywhere::<bool>();
    check_anywhere::<u8>();
    check_anywhere::<i8>();
    check_anywhere::<u16>();
    check_anywhere::<i16>();
    check_anywhere::<u32>();
    check_anywhere::<i32>();
    check_anywhere::<u64>();
    check_anywhere::<i64>();
    check_anywhere::<f32>();
    check_anywhere::<f64>();
    check_anywhere::<char>();
    check_anywhere::<String>();
    // serde's buffer doesn't support 128-bit numbers.
    check_typed::<u128>();
    check_typed::<i128>();
}

#[test]
fn containers_round_trip() {
    check_anywhere::<Vec<u8>>();
    check_anywhere::<hype::Bytes>();
    check_anywhere::<Option<Option<()>>>();
    check_anywhere::<Vec<Option<Option<String>>>>();
    check_anywhere::<(u8, String, Option<f64>)>();
    check_anywhere::<IpAddr>();
    check_anywhere::<SocketAddr>();
    check_anywhere::<BTreeSet<(i32, String)>>();
    check_anywhere::<External<Internal<Adjacent<u16>>>>();
    check_anywhere::<Flattened<Untagged<i64>>>();
}

#[test]
fn map_keys_round_trip() {
    check_key::<String>();
    check_key::<bool>();
    check_key::<char>();
    check_key::<u8>();
    check_key::<i64>();
    check_key::<(i8, String)>();
    check_key::<Vec<u8>>();
    check_key::<Option<u8>>();
    check_key::<Option<bool>>();
    check_key::<Option<Option<()>>>();
    check_key::<External<u8>>();
    check_key::<BTreeMap<u8, bool>>();
    check_key::<IpAddr>();
    check_typed::<BTreeMap<u128, i128>>();
    check_typed::<BTreeMap<i128, u128>>();
}

#[test]
fn deepest_values_round_trip() {
    #[derive(Debug, Serialize, Deserialize)]
    struct List(Vec<List>);
    #[derive(Debug, Serialize, Deserialize)]
    struct Map(BTreeMap<(), Map>);
    let list = (1..codec::MAX_DEPTH).fold(List(vec![]), |inner, _| List(vec![inner]));
    let map =
        (1..codec::MAX_DEPTH).fold(Map(BTreeMap::new()), |inner, _| Map([((), inner)].into()));
    let printed_list = printed(&list);
    assert_eq!(printed(&accepted::<List>(&printed_list).unwrap()), printed_list);
    let printed_map = printed(&map);
    assert_eq!(printed(&accepted::<Map>(&printed_map).unwrap()), printed_map);
}
