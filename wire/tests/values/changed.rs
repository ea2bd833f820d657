//! Values that serde's derive changes in every format. docs/values.md lists them in this order.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::examples::round_trip;

/// Asserts that `value` decodes as `other`, with hype and with JSON.
fn assert_becomes<T>(value: T, other: T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&json).unwrap(), other);
    assert_ne!(value, other);
    assert_eq!(round_trip(value), other);
}

#[test]
fn untagged_value_decodes_as_first_matching_variant() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Number {
        Small(u8),
        Large(u64),
        Short(f32),
        Long(f64),
    }
    assert_becomes(Number::Large(5), Number::Small(5));
    assert_becomes(Number::Long(0.1), Number::Short(0.1));

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Text {
        Name(String),
        Letter(char),
    }
    assert_becomes(Text::Letter('a'), Text::Name("a".into()));
}

#[test]
fn untagged_type_decodes_bytes_as_numbers() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Data {
        Numbers(Vec<u64>),
        Blob(ByteBuf),
    }
    assert_becomes(Data::Blob(b"\x01\xff".to_vec().into()), Data::Numbers(vec![1, 255]));

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum BytesFirst {
        Blob(ByteBuf),
        Numbers(Vec<u64>),
    }
    let numbers = BytesFirst::Numbers(vec![1, 256]);
    assert_eq!(round_trip(numbers), BytesFirst::Numbers(vec![1, 256]));
    assert_becomes(BytesFirst::Numbers(vec![1, 255]), BytesFirst::Blob(vec![1, 255].into()));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat<T> {
    id: u8,
    #[serde(flatten)]
    rest: Option<T>,
}

#[test]
fn flattened_none_of_empty_type_decodes_as_some() {
    assert_becomes(
        Flat { id: 1, rest: None },
        Flat { id: 1, rest: Some(BTreeMap::<String, u8>::new()) },
    );

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Extra {
        note: Option<String>,
    }
    assert_becomes(Flat { id: 1, rest: None }, Flat { id: 1, rest: Some(Extra { note: None }) });
}

#[test]
fn undecodable_flattened_option_is_none() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Account {
        name: String,
        #[serde(skip_serializing)]
        password: String,
    }
    let account = Account { name: "a".into(), password: "b".into() };
    assert_becomes(Flat { id: 1, rest: Some(account) }, Flat { id: 1, rest: None });
}

#[test]
fn skipped_field_gets_its_default() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Cache {
        #[serde(skip)]
        hits: u32,
        #[serde(skip_deserializing)]
        misses: u32,
        #[serde(skip_serializing_if = "Option::is_none", default = "one")]
        size: Option<u8>,
    }
    fn one() -> Option<u8> {
        Some(1)
    }
    let cache = Cache { hits: 7, misses: 8, size: None };
    assert_becomes(cache, Cache { hits: 0, misses: 0, size: Some(1) });
}

#[test]
fn custom_field_encoding_may_lose_precision() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Event {
        #[serde(with = "chrono::serde::ts_seconds")]
        at: chrono::DateTime<chrono::Utc>,
    }
    let at = |nanoseconds| chrono::DateTime::from_timestamp(1, nanoseconds).unwrap();
    assert_becomes(Event { at: at(999) }, Event { at: at(0) });
}

#[test]
fn shared_rc_is_duplicated() {
    #[derive(Serialize, Deserialize)]
    struct Shared(#[serde(with = "content")] Rc<u8>, #[serde(with = "content")] Rc<u8>);

    /// The encoding of serde's feature `rc`.
    mod content {
        use std::rc::Rc;

        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        pub(super) fn serialize<S: Serializer>(it: &Rc<u8>, to: S) -> Result<S::Ok, S::Error> {
            (**it).serialize(to)
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Rc<u8>, D::Error> {
            u8::deserialize(from).map(Rc::new)
        }
    }
    let one = Rc::new(1);
    let Shared(first, second) = round_trip(Shared(one.clone(), one));
    assert!(first == second && !Rc::ptr_eq(&first, &second));
}
