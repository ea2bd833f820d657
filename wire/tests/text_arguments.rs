//! Arguments that people write as text are what their types ask for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

use hype_wire::{NotJson, TextArgument, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The argument `text`, which is JSON for `value`, read as a `T`.
fn json<T: DeserializeOwned + 'static>(text: &str, value: impl Serialize) -> Result<T, String> {
    read(&TextArgument { text: text.into(), value: Ok(value) })
}

/// The argument `text`, which isn't JSON, read as a `T`.
fn other<T: DeserializeOwned + 'static>(text: &str, is_word: bool) -> Result<T, String> {
    let value = Err(NotJson { problem: "isn't JSON".into(), is_word });
    read(&TextArgument::<()> { text: text.into(), value })
}

fn read<T: DeserializeOwned + 'static>(
    argument: &TextArgument<impl Serialize>,
) -> Result<T, String> {
    let mut bytes = codec::array_head(2);
    argument.append_to(&mut bytes).unwrap();
    codec::append(&mut bytes, &7).unwrap();
    let (_, mut values) = codec::Values::of_array(bytes).unwrap();
    let value = values.read_owned::<T>().map_err(|error| error.to_string())?;
    assert_eq!(values.read_owned::<u8>().unwrap(), 7);
    Ok(value)
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Answer {
    Yes,
    #[serde(rename = "true")]
    True,
    Other(u8),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Ports {
    Open(BTreeMap<u16, f64>),
    Between(BTreeMap<(u16, u16), bool>),
}

#[test]
fn text_is_what_was_written() {
    assert_eq!(json::<String>("123", 123), Ok("123".into()));
    assert_eq!(json::<String>("null", ()), Ok("null".into()));
    assert_eq!(json::<String>("\"a\"", "a"), Ok("a".into()));
    assert_eq!(json::<char>("5", 5), Ok('5'));
    assert_eq!(json::<Option<String>>("null", ()), Ok(None));
    assert_eq!(json::<Option<Box<String>>>("true", true), Ok(Some(Box::new("true".into()))));
    assert_eq!(other::<String>("{broken", false), Ok("{broken".into()));
    assert_eq!(other::<IpAddr>("::1", true), Ok(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
    assert_eq!(other::<IpAddr>("::x", true), Err("invalid IP address syntax".into()));
    // Inside of a value a number is a number.
    assert_eq!(
        json::<Vec<String>>("[1]", [1]),
        Err("at [0]: expected a string, found the number 1".into())
    );
}

#[test]
fn a_word_names_a_variant() {
    assert_eq!(other::<Answer>("Yes", true), Ok(Answer::Yes));
    assert_eq!(json::<Answer>("true", true), Ok(Answer::True));
    assert_eq!(json::<Answer>("\"true\"", "true"), Ok(Answer::True));
    assert_eq!(
        json::<Answer>("{\"Other\":3}", BTreeMap::from([("Other", 3)])),
        Ok(Answer::Other(3))
    );
    let error = other::<Answer>("No", true).unwrap_err();
    assert!(error.starts_with("unknown variant `No`, expected one of"), "{error}");
    assert!(error.ends_with("(the argument isn't JSON)"), "{error}");
    assert_eq!(other::<Answer>("{\"Other\":", false), Err("the argument isn't JSON".into()));
}

#[test]
fn anything_is_the_value_or_a_word() {
    assert_eq!(other::<Host>("::1", true), Ok(Host::Ip("::1".parse().unwrap())));
    assert_eq!(other::<Host>("here", true), Ok(Host::Name("here".into())));
    assert_eq!(json::<Host>("123", 123), Ok(Host::Name("123".into())));
    assert_eq!(other::<Host>("{broken", false), Err("the argument isn't JSON".into()));
    assert!(json::<Host>("[1]", [1]).is_err());
}

#[test]
fn maps_without_texts_as_keys_are_found_behind_the_buffer_of_serde() {
    let open = BTreeMap::from([("80", "NaN"), ("81", "inf")]);
    let Ok(Ports::Open(ports)) = json("", open) else { panic!("not read") };
    assert!(ports[&80].is_nan());
    assert_eq!(ports[&81], f64::INFINITY);
    let between = BTreeMap::from([((1, 2), true), ((3, 4), false)]);
    let pairs: Vec<_> = between.clone().into_iter().collect();
    assert_eq!(json("", pairs), Ok(Ports::Between(between)));
}

#[test]
fn all_else_is_the_value_or_the_problem() {
    assert_eq!(json::<f64>("1", 1), Ok(1.0));
    assert_eq!(json::<f64>("1208925819614629174706176", 1_u128 << 80), Ok((1_u128 << 80) as f64));
    assert_eq!(other::<f32>("-inf", true), Ok(f32::NEG_INFINITY));
    assert_eq!(other::<f64>("infinity", true), Err("the argument isn't JSON".into()));
    assert_eq!(other::<u8>("NaN", true), Err("the argument isn't JSON".into()));
    assert_eq!(other::<Vec<u8>>("abc", true), Err("the argument isn't JSON".into()));
    assert_eq!(other::<()>("abc", true), Err("the argument isn't JSON".into()));
    assert_eq!(json::<(u8, bool)>("", (1, true)), Ok((1, true)));
}

#[test]
fn a_key_has_one_text() {
    let keyed = |key: &str| json::<BTreeMap<u8, ()>>("", BTreeMap::from([(key, ())]));
    assert_eq!(keyed("5"), Ok(BTreeMap::from([(5, ())])));
    for key in ["05", "+5", " 5", "5.5", ""] {
        let error = keyed(key).unwrap_err();
        assert!(error.contains("expected u8, found"), "{error}");
    }
}

#[test]
fn text_arguments_are_read_whole_or_refused() {
    let mut bytes = Vec::new();
    let argument = TextArgument { text: "[1]".into(), value: Ok([1]) };
    argument.append_to(&mut bytes).unwrap();
    assert_eq!(codec::from_slice::<Vec<u8>>(&bytes).unwrap(), [1]);
    for cut in 0..bytes.len() {
        assert!(codec::from_slice::<Vec<u8>>(&bytes[..cut]).is_err());
    }
    let longer = [&[0xc7, bytes.len() as u8 - 2, 4], &bytes[3..], &[1]].concat();
    assert!(codec::from_slice::<Vec<u8>>(&longer).is_err());
    // Only a whole argument can be one.
    let inside = [&[0x91], &bytes[..]].concat();
    assert!(codec::from_slice::<Vec<Vec<u8>>>(&inside).is_err());
}
