//! Values that can't be decoded are rejected by the encoder, with the path to the problem.

use std::collections::BTreeMap;

use hype_wire::codec::{self, MAX_DEPTH};
use hype_wire::{Fault, WireError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

fn rejection<T: Serialize + DeserializeOwned + 'static>(value: T) -> WireError {
    match codec::into_vec(value) {
        Ok(bytes) => panic!("encoded as {bytes:x?}"),
        Err(error) => error,
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Big(u128),
    Float(f64),
    Text(String),
}

#[test]
fn wide_numbers_in_buffered_types_are_rejected() {
    let message = rejection(BTreeMap::from([("n", [Number::Float(1.5), Number::Big(7)])].map(own)))
        .to_string();
    assert!(message.contains("at n[1]:") && message.contains("128 bits"), "{message}");
    assert!(codec::into_vec(vec![Number::Float(7.0), Number::Text("7".into())]).is_ok());

    #[derive(Serialize, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        rest: BTreeMap<String, i128>,
    }
    let rest = BTreeMap::from([("a".to_owned(), 1)]);
    let message = rejection(Flat { rest }).to_string();
    assert!(message.contains("at a:") && message.contains("128 bits"), "{message}");
}

fn own<T>((key, value): (&str, T)) -> (String, T) {
    (key.to_owned(), value)
}

#[test]
fn large_values_with_wide_numbers_are_verified() {
    let mut numbers: Vec<_> = (0..300_000).map(|number| Number::Float(f64::from(number))).collect();
    numbers.push(Number::Big(1));
    assert!(rejection(numbers).to_string().contains("at [300000]:"));
}

#[test]
fn asymmetric_fields_are_rejected() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Account {
        #[serde(skip_serializing)]
        password: String,
    }
    let account = Account { password: "x".into() };
    assert_eq!(account.password, "x");
    let message = rejection(vec![account]).to_string();
    assert!(message.contains("at [0]: missing field `password`"), "{message}");

    #[derive(Serialize, Deserialize)]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    let rest = BTreeMap::from([("id".to_owned(), 1)]);
    let message = rejection(Flat { id: 1, rest }).to_string();
    assert!(message.contains("duplicate field `id`"), "{message}");
}

#[test]
fn serialize_error_names_the_field() {
    #[derive(Serialize, Deserialize)]
    struct Job {
        files: Vec<std::path::PathBuf>,
    }
    use std::os::unix::ffi::OsStringExt;
    let strange = std::ffi::OsString::from_vec(vec![b'a', 0xff]);
    let message = rejection(Job { files: vec!["b".into(), strange.into()] }).to_string();
    assert_eq!(message, "at files[1]: path contains invalid UTF-8 characters");
}

/// A list within a list within a list.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nested(Vec<Nested>);

fn nested(levels: usize) -> Nested {
    (1..levels).fold(Nested(Vec::new()), |inner, _| Nested(vec![inner]))
}

/// A linked list.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain {
    link: u8,
    next: Option<Box<Chain>>,
}

fn chain(links: usize) -> Chain {
    (1..links).fold(Chain { link: 1, next: None }, |next, _| Chain {
        link: 2,
        next: Some(Box::new(next)),
    })
}

#[test]
fn values_that_nest_too_deep_are_rejected() {
    let deepest = codec::into_vec(nested(MAX_DEPTH)).unwrap();
    assert_eq!(codec::from_vec::<Nested>(deepest).unwrap(), nested(MAX_DEPTH));
    let error = rejection(nested(MAX_DEPTH + 1));
    assert_eq!(error.fault(), Fault::Depth);
    assert!(error.to_string().starts_with("at [0][0][0]"), "{error}");
    assert!(error.to_string().contains("nests too deep"), "{error}");

    assert_eq!(codec::from_vec::<Chain>(codec::into_vec(chain(128)).unwrap()).unwrap(), chain(128));
    let error = rejection(chain(129)).to_string();
    assert!(error.starts_with("at next.next.next"), "{error}");

    #[derive(Serialize, Deserialize)]
    struct Somes(Option<Box<Somes>>);
    let somes =
        |count: usize| (0..count).fold(Somes(None), |inner, _| Somes(Some(Box::new(inner))));
    assert_eq!(codec::into_vec(somes(127)).unwrap(), [0xd4, 1, 127]);
    assert_eq!(rejection(somes(128)).fault(), Fault::Depth);
    assert_eq!(rejection(somes(5000)).fault(), Fault::Depth);
}
