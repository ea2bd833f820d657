//! Every position of a value in a type that derives serde's traits.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dynamic::Dynamic;

/// The outcome of a round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// The decoded value is equal.
    Equal,
    /// The encoder rejected the value.
    Rejected,
    /// The decoded value differs.
    Changed,
}

/// Encodes and decodes a value in a position, with hype and with JSON.
pub(crate) type Position = fn(&Dynamic) -> (Outcome, Outcome);

macro_rules! positions {
    ($($name:literal: $make:expr;)*) => {
        &[$(($name, |it: &Dynamic| {
            let make: fn(Dynamic) -> _ = $make;
            round_trip($name, || make(it.clone()))
        })),*]
    };
}

pub(crate) const POSITIONS: &[(&str, Position)] = positions! {
    "alone": |it| it;
    "field": |it| Field { before: 1, it, after: "end".into() };
    "tuple": |it| (it, 7_u8);
    "element": |it: Dynamic| vec![it.clone(), it.clone(), it];
    "map value": |it| BTreeMap::from([("key".to_owned(), it)]);
    "map key": |it| Keyed(it, 5);
    "nested option": |it| Some(Some(it));
    "boxed": Box::new;
    "result": |it| Ok::<Dynamic, String>(it);
    "newtype": Newtype;
    "newtype variant": External::Newtype;
    "tuple variant": |it| External::Tuple(it, 1);
    "struct variant": |it| External::Struct { it };
    "internally tagged": |it| Internal::Struct { it, after: 1 };
    "internally tagged structure": |it| Internal::Newtype(Inner { it });
    "internally tagged itself": InternalNewtype::It;
    "adjacently tagged newtype": Adjacent::Newtype;
    "adjacently tagged tuple": |it| Adjacent::Tuple(it, 1);
    "adjacently tagged structure": |it| Adjacent::Struct { it };
    "untagged structure": |it| Untagged::Struct { it, after: 1 };
    "untagged": UntaggedNewtype::It;
    "untagged tuple": |it| UntaggedTuple::It(it, 1);
    "flattened structure": |it| Flattened { id: 1, rest: Inner { it } };
    "flattened option": |it| Flattened { id: 1, rest: Some(Inner { it }) };
    "flattened map": |it| Flattened { id: 1, rest: BTreeMap::from([("key".to_owned(), it)]) };
    "flattened itself": |it| Flattened { id: 1, rest: it };
    "tagged in a list": |it: Dynamic| vec![Internal::Struct { it: it.clone(), after: 2 }, Internal::Newtype(Inner { it })];
    "tagged in untagged": |it| Outer::Inside(Internal::Struct { it, after: 3 });
};

fn round_trip<T>(name: &str, make: impl Fn() -> T) -> (Outcome, Outcome)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    let outcome_of = |value: T| if value == make() { Outcome::Equal } else { Outcome::Changed };
    let hype = match hype_wire::codec::into_vec(make()) {
        Err(error) => {
            assert!(error.to_string().len() > 10, "{name}: {error}");
            Outcome::Rejected
        }
        Ok(bytes) => match hype_wire::codec::from_vec::<T>(bytes.clone()) {
            Ok(value) => outcome_of(value),
            Err(error) => panic!("{name}: cannot decode: {error}: {:?} as {bytes:x?}", make()),
        },
    };
    let decoded_json =
        serde_json::to_string(&make()).ok().and_then(|json| serde_json::from_str::<T>(&json).ok());
    (hype, decoded_json.map_or(Outcome::Rejected, outcome_of))
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Field {
    before: u8,
    it: Dynamic,
    after: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Dynamic);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    it: Dynamic,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum External {
    Newtype(Dynamic),
    Tuple(Dynamic, u8),
    Struct { it: Dynamic },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Internal {
    Struct { it: Dynamic, after: u8 },
    Newtype(Inner),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum InternalNewtype {
    It(Dynamic),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent {
    Newtype(Dynamic),
    Tuple(Dynamic, u8),
    Struct { it: Dynamic },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Struct { it: Dynamic, after: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum UntaggedNewtype {
    It(Dynamic),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum UntaggedTuple {
    It(Dynamic, u8),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flattened<T> {
    id: u8,
    #[serde(flatten)]
    rest: T,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Outer {
    Inside(Internal),
}

/// A map with one entry, whose key may be any value.
#[derive(Debug, PartialEq)]
struct Keyed(Dynamic, u8);

impl Serialize for Keyed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(&self.0, self.1)])
    }
}

impl<'de> Deserialize<'de> for Keyed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyedVisitor;
        impl<'de> Visitor<'de> for KeyedVisitor {
            type Value = Keyed;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map with one entry")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keyed, A::Error> {
                let entry = map.next_entry()?.ok_or_else(|| serde::de::Error::custom("none"))?;
                Ok(Keyed(entry.0, entry.1))
            }
        }
        deserializer.deserialize_map(KeyedVisitor)
    }
}
