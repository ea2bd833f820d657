//! What serde's derive changes in every format, and so here. docs/values.md lists it, in this order.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::examples::crossed;

/// Checks what becomes of a value, here and in JSON.
fn becomes<T>(value: T, other: T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&json).unwrap(), other);
    assert_ne!(value, other);
    assert_eq!(crossed(value), other);
}

#[test]
fn an_untagged_value_is_the_first_variant_that_fits() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Number {
        Small(u8),
        Large(u64),
        Short(f32),
        Long(f64),
    }
    becomes(Number::Large(5), Number::Small(5));
    becomes(Number::Long(0.1), Number::Short(0.1));

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Text {
        Name(String),
        Letter(char),
    }
    becomes(Text::Letter('a'), Text::Name("a".into()));
}

#[test]
fn bytes_are_a_list_of_numbers_to_an_untagged_type() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Data {
        Numbers(Vec<u64>),
        Blob(ByteBuf),
    }
    becomes(Data::Blob(b"\x01\xff".to_vec().into()), Data::Numbers(vec![1, 255]));

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum BytesFirst {
        Blob(ByteBuf),
        Numbers(Vec<u64>),
    }
    let numbers = BytesFirst::Numbers(vec![1, 256]);
    assert_eq!(crossed(numbers), BytesFirst::Numbers(vec![1, 256]));
    becomes(BytesFirst::Numbers(vec![1, 255]), BytesFirst::Blob(vec![1, 255].into()));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat<T> {
    id: u8,
    #[serde(flatten)]
    rest: Option<T>,
}

#[test]
fn a_flattened_option_of_what_may_be_empty_is_some() {
    becomes(Flat { id: 1, rest: None }, Flat { id: 1, rest: Some(BTreeMap::<String, u8>::new()) });

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Extra {
        note: Option<String>,
    }
    becomes(Flat { id: 1, rest: None }, Flat { id: 1, rest: Some(Extra { note: None }) });
}

#[test]
fn a_flattened_option_that_cannot_be_read_is_none() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Account {
        name: String,
        #[serde(skip_serializing)]
        password: String,
    }
    let account = Account { name: "a".into(), password: "b".into() };
    becomes(Flat { id: 1, rest: Some(account) }, Flat { id: 1, rest: None });
}

#[test]
fn a_field_that_is_skipped_gets_its_default() {
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
    becomes(cache, Cache { hits: 0, misses: 0, size: Some(1) });
}

#[test]
fn a_field_with_a_form_of_its_own_keeps_what_that_keeps() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Event {
        #[serde(with = "chrono::serde::ts_seconds")]
        at: chrono::DateTime<chrono::Utc>,
    }
    let at = |nanoseconds| chrono::DateTime::from_timestamp(1, nanoseconds).unwrap();
    becomes(Event { at: at(999) }, Event { at: at(0) });
}

#[test]
fn what_is_shared_is_no_longer_shared() {
    #[derive(Serialize, Deserialize)]
    struct Shared(#[serde(with = "content")] Rc<u8>, #[serde(with = "content")] Rc<u8>);

    /// As the feature `rc` of serde has it.
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
    let Shared(first, second) = crossed(Shared(one.clone(), one));
    assert!(first == second && !Rc::ptr_eq(&first, &second));
}
