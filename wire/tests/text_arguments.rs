//! Text arguments decode as the type of their parameter.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

use hype_wire::{NotJson, TextArgument, TextRecord, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Decodes the argument `text`, whose JSON value is `value`, as a `T`.
fn json<T: DeserializeOwned + 'static>(text: &str, value: impl Serialize) -> Result<T, String> {
    read(&TextArgument { text: text.into(), value: Ok(value) })
}

/// Decodes the argument `text`, which isn't JSON, as a `T`.
fn not_json<T: DeserializeOwned + 'static>(text: &str, is_word: bool) -> Result<T, String> {
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
fn string_parameter_gets_the_typed_text() {
    assert_eq!(json::<String>("123", 123), Ok("123".into()));
    assert_eq!(json::<String>("null", ()), Ok("null".into()));
    assert_eq!(json::<String>("\"a\"", "a"), Ok("a".into()));
    assert_eq!(json::<char>("5", 5), Ok('5'));
    assert_eq!(json::<Option<String>>("null", ()), Ok(None));
    assert_eq!(json::<Option<Box<String>>>("true", true), Ok(Some(Box::new("true".into()))));
    assert_eq!(not_json::<String>("{broken", false), Ok("{broken".into()));
    assert_eq!(not_json::<IpAddr>("::1", true), Ok(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])));
    assert_eq!(not_json::<IpAddr>("::x", true), Err("invalid IP address syntax".into()));
    // Inside of a value a number is not text.
    assert_eq!(
        json::<Vec<String>>("[1]", [1]),
        Err("at [0]: expected a string, found the number 1".into())
    );
}

#[test]
fn word_names_a_variant() {
    assert_eq!(not_json::<Answer>("Yes", true), Ok(Answer::Yes));
    assert_eq!(json::<Answer>("true", true), Ok(Answer::True));
    assert_eq!(json::<Answer>("\"true\"", "true"), Ok(Answer::True));
    assert_eq!(
        json::<Answer>("{\"Other\":3}", BTreeMap::from([("Other", 3)])),
        Ok(Answer::Other(3))
    );
    let error = not_json::<Answer>("No", true).unwrap_err();
    assert!(error.starts_with("unknown variant `No`, expected one of"), "{error}");
    assert!(error.ends_with("(the argument isn't JSON)"), "{error}");
    assert_eq!(not_json::<Answer>("{\"Other\":", false), Err("the argument isn't JSON".into()));
}

#[test]
fn untagged_parameter_gets_the_value_or_the_word() {
    assert_eq!(not_json::<Host>("::1", true), Ok(Host::Ip("::1".parse().unwrap())));
    assert_eq!(not_json::<Host>("here", true), Ok(Host::Name("here".into())));
    assert_eq!(json::<Host>("123", 123), Ok(Host::Name("123".into())));
    assert_eq!(not_json::<Host>("{broken", false), Err("the argument isn't JSON".into()));
    assert!(json::<Host>("[1]", [1]).is_err());
}

#[test]
fn untagged_maps_accept_text_keys_and_pairs() {
    let open = BTreeMap::from([("80", "NaN"), ("81", "inf")]);
    let Ok(Ports::Open(ports)) = json("", open) else { panic!("not read") };
    assert!(ports[&80].is_nan());
    assert_eq!(ports[&81], f64::INFINITY);
    let between = BTreeMap::from([((1, 2), true), ((3, 4), false)]);
    let pairs: Vec<_> = between.clone().into_iter().collect();
    assert_eq!(json("", pairs), Ok(Ports::Between(between)));
}

#[test]
fn other_parameters_get_the_value_or_fail() {
    assert_eq!(json::<f64>("1", 1), Ok(1.0));
    assert_eq!(json::<f64>("1208925819614629174706176", 1_u128 << 80), Ok((1_u128 << 80) as f64));
    assert_eq!(not_json::<f32>("-inf", true), Ok(f32::NEG_INFINITY));
    assert_eq!(not_json::<f64>("infinity", true), Err("the argument isn't JSON".into()));
    assert_eq!(not_json::<u8>("NaN", true), Err("the argument isn't JSON".into()));
    assert_eq!(not_json::<Vec<u8>>("abc", true), Err("the argument isn't JSON".into()));
    assert_eq!(not_json::<()>("abc", true), Err("the argument isn't JSON".into()));
    assert_eq!(json::<(u8, bool)>("", (1, true)), Ok((1, true)));
}

#[test]
fn number_key_has_one_spelling() {
    let keyed = |key: &str| json::<BTreeMap<u8, ()>>("", BTreeMap::from([(key, ())]));
    assert_eq!(keyed("5"), Ok(BTreeMap::from([(5, ())])));
    for key in ["05", "+5", " 5", "5.5", ""] {
        let error = keyed(key).unwrap_err();
        assert!(error.contains("expected u8, found"), "{error}");
    }
}

#[test]
fn truncated_text_argument_is_rejected() {
    let mut bytes = Vec::new();
    let argument = TextArgument { text: "[1]".into(), value: Ok([1]) };
    argument.append_to(&mut bytes).unwrap();
    assert_eq!(codec::from_slice::<Vec<u8>>(&bytes).unwrap(), [1]);
    for cut in 0..bytes.len() {
        assert!(codec::from_slice::<Vec<u8>>(&bytes[..cut]).is_err());
    }
    let longer = [&[0xc7, bytes.len() as u8 - 2, 4], &bytes[3..], &[1]].concat();
    assert!(codec::from_slice::<Vec<u8>>(&longer).is_err());
    // A text argument inside of a value is rejected.
    let inside = [&[0x91], &bytes[..]].concat();
    assert!(codec::from_slice::<Vec<Vec<u8>>>(&inside).is_err());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    item: String,
    note: Option<String>,
    count: u32,
    answer: Answer,
}

/// Decodes a record of fields without values in JSON but numbers and nil, as the rows of tables are.
fn record<T: DeserializeOwned + 'static>(
    fields: &[(&str, &str, Option<u32>)],
) -> Result<T, String> {
    #[derive(Clone, Serialize)]
    #[serde(untagged)]
    enum Cell {
        Number(u32),
        Text(String),
        Nothing,
    }
    let cell = |(name, text, number): &(&str, &str, Option<u32>)| {
        let value = match number {
            Some(number) => Cell::Number(*number),
            None if text.is_empty() => Cell::Nothing,
            None => Cell::Text((*text).to_owned()),
        };
        ((*name).to_owned(), TextArgument { text: (*text).to_owned(), value: Ok(value) })
    };
    let fields = fields.iter().map(cell).collect();
    let mut bytes = codec::array_head(1);
    TextRecord { fields }.append_to(&mut bytes).unwrap();
    let (_, mut values) = codec::Values::of_array(bytes).unwrap();
    values.read_owned::<T>().map_err(|error| error.to_string())
}

#[test]
fn field_of_record_decodes_as_its_type() {
    let fields = [
        ("item", "007", None),
        ("note", "", None),
        ("count", "7", Some(7)),
        ("answer", "Yes", None),
    ];
    let order = Order { item: "007".into(), note: None, count: 7, answer: Answer::Yes };
    assert_eq!(record(&fields), Ok(order));
    let fields = [
        ("answer", "true", None),
        ("item", "", None),
        ("note", "7", Some(7)),
        ("count", "0", Some(0)),
    ];
    let order =
        Order { item: String::new(), note: Some("7".into()), count: 0, answer: Answer::True };
    assert_eq!(record(&fields), Ok(order));
}

#[test]
fn untagged_field_of_record_gets_the_value_or_the_text() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Visit {
        host: Host,
        count: u32,
        share: f64,
    }
    let numbers = [("count", "7", Some(7)), ("share", "5", Some(5))];
    let visit = |host| Ok(Visit { host, count: 7, share: 5.0 });
    let fields = [("host", "::1", None), numbers[0], numbers[1]];
    assert_eq!(record(&fields), visit(Host::Ip("::1".parse().unwrap())));
    let fields = [("host", "123", Some(123)), numbers[0], numbers[1]];
    assert_eq!(record(&fields), visit(Host::Name("123".into())));
}

#[test]
fn error_in_record_names_the_field() {
    let fields =
        [("item", "a", None), ("note", "", None), ("count", "x", None), ("answer", "Yes", None)];
    let error = record::<Order>(&fields).unwrap_err();
    assert_eq!(error, "at count: expected u32, found the string \"x\"");
    let error = record::<String>(&fields).unwrap_err();
    assert_eq!(error, "expected a string, found a map");
}

#[test]
fn field_of_record_is_no_record() {
    // A value that nests text arguments deeply would exhaust the stack of its reader.
    let field = TextArgument { text: "1".to_owned(), value: Ok(1) };
    let mut record = Vec::new();
    TextRecord { fields: vec![("b".to_owned(), field)] }.append_to(&mut record).unwrap();
    let mut data = codec::array_head(3);
    codec::append(&mut data, "").unwrap();
    codec::append(&mut data, &()).unwrap();
    data.extend([0x81, 0xa1, b'a']);
    data.extend(record);
    let mut bytes = vec![0x91, 0xc7, u8::try_from(data.len()).unwrap(), 4];
    bytes.extend(data);
    let (_, mut values) = codec::Values::of_array(bytes).unwrap();
    type Nested = BTreeMap<String, BTreeMap<String, u8>>;
    assert!(values.read_owned::<Nested>().is_err());
}
