//! Common types of users decode to equal values.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::CString;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::{NonZeroI64, NonZeroU128, Saturating, Wrapping};
use std::ops::{Bound, Range, RangeFrom, RangeInclusive};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, SystemTime};

use enum_map::{Enum, EnumMap, enum_map};
use hype_wire::{Bytes, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Encodes and decodes a value.
pub(crate) fn round_trip<T: Serialize + DeserializeOwned + 'static>(value: T) -> T {
    let bytes = codec::into_vec(value).unwrap();
    codec::from_vec(bytes).unwrap()
}

fn assert_round_trips<T: Serialize + DeserializeOwned + PartialEq + Clone + Debug + 'static>(
    value: T,
) {
    assert_eq!(round_trip(value.clone()), value);
    assert_eq!(round_trip(vec![Some(value.clone()), None]), [Some(value.clone()), None]);
    assert_eq!(round_trip(Tagged::It { it: value.clone() }), Tagged::It { it: value.clone() });
    assert_eq!(round_trip(Untagged::It { it: value.clone() }), Untagged::It { it: value.clone() });
    let rest = Some(Common { it: value });
    assert_eq!(round_trip(Flat { id: 1, rest: rest.clone() }), Flat { id: 1, rest });
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged<T> {
    It { it: T },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged<T> {
    It { it: T },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Common<T> {
    it: T,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flat<T> {
    id: u8,
    #[serde(flatten)]
    rest: Option<Common<T>>,
}

#[test]
fn addresses_round_trip() {
    assert_round_trips(IpAddr::from([10, 0, 0, 1]));
    assert_round_trips(Ipv6Addr::LOCALHOST);
    assert_round_trips("[::1]:80".parse::<SocketAddr>().unwrap());
    assert_round_trips(HashMap::from([(IpAddr::from([10, 0, 0, 1]), 1)]));

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Host {
        Ip(IpAddr),
        Name(String),
    }
    assert_round_trips(vec![Host::Ip([127, 0, 0, 1].into()), Host::Name("localhost".into())]);
}

#[test]
fn times_and_identifiers_round_trip() {
    assert_round_trips(Duration::new(u64::MAX, 999_999_999));
    assert_round_trips(SystemTime::UNIX_EPOCH + Duration::new(1 << 40, 1));
    assert_round_trips(uuid::Uuid::from_u128(0x1234 << 100));
    assert_round_trips(chrono::DateTime::from_timestamp(1 << 32, 123_456_789).unwrap());
    assert_round_trips(chrono::NaiveDate::from_ymd_opt(2024, 2, 29).unwrap());
    assert_round_trips(time::macros::datetime!(2024-02-29 23:59:59.123456789 +5:30));
    assert_round_trips(time::macros::date!(-9999 - 01 - 01));
    assert_round_trips(time::Duration::new(-5, -1));
}

#[test]
fn maps_with_every_kind_of_key_round_trip() {
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Place {
        x: i8,
        y: i8,
    }
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    enum Key {
        Unit,
        Newtype(u8),
        Struct { name: String },
    }
    let keys = [Key::Unit, Key::Newtype(200), Key::Struct { name: "a".into() }];
    assert_round_trips(BTreeMap::from([(0_u8, 1), (255, 2)]));
    assert_round_trips(BTreeMap::from([(i64::MIN, 1), (i64::MAX, 2)]));
    assert_round_trips(BTreeMap::from([(false, 1), (true, 2)]));
    assert_round_trips(BTreeMap::from([('ß', 1)]));
    assert_round_trips(BTreeMap::from([((1_u8, "a".to_owned()), 1)]));
    assert_round_trips(BTreeMap::from([(None, 1), (Some(3_u8), 2)]));
    assert_round_trips(BTreeMap::from([(None, 1), (Some(None), 2), (Some(Some(3_u8)), 3)]));
    assert_round_trips(BTreeMap::from([((), 1)]));
    assert_round_trips(BTreeMap::from([(Place { x: 1, y: -1 }, 1)]));
    assert_round_trips(BTreeMap::from(keys.map(|key| (key, 1))));
    assert_round_trips(BTreeMap::from([(vec![1_u8, 2], 1), (vec![], 2)]));
    assert_eq!(round_trip(BTreeMap::from([(u128::MAX, 1)])), BTreeMap::from([(u128::MAX, 1)]));

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
    enum Size {
        Small,
        Large,
    }
    let sizes: EnumMap<Size, u8> = enum_map! { Size::Small => 1, Size::Large => 200 };
    assert_round_trips(sizes);
}

#[test]
fn nested_options_round_trip() {
    assert_round_trips(Some(None::<u8>));
    assert_round_trips(Some(Some(None::<u8>)));
    assert_round_trips(Some(()));
    assert_round_trips(None::<()>);
    assert_round_trips(vec![None, Some(None), Some(Some(None)), Some(Some(Some(())))]);
    assert_round_trips(Some(PhantomData::<u8>));
    assert_round_trips(Some(serde_json::Value::Null));
    assert_eq!(round_trip(Some(NonZeroU128::MIN)), Some(NonZeroU128::MIN));
}

#[test]
fn numbers_round_trip() {
    for number in
        [0.0, -0.0, f64::MIN_POSITIVE, f64::INFINITY, f64::from_bits(0x7ff8_dead_beef_0001)]
    {
        assert_eq!(round_trip(number).to_bits(), number.to_bits());
        assert_eq!(round_trip(Tagged::It { it: number }).it().to_bits(), number.to_bits());
    }
    let nan = f32::from_bits(0xffc1_2345);
    assert_eq!(round_trip(nan).to_bits(), nan.to_bits());
    assert_eq!(round_trip(Tagged::It { it: nan }).it().to_bits(), nan.to_bits());
    assert_round_trips((i8::MIN, i16::MIN, i32::MIN, i64::MIN, u64::MAX, i64::MAX));
    assert_eq!(round_trip((u128::MAX, i128::MIN, 0_u128, -1_i128)), (u128::MAX, i128::MIN, 0, -1));
    assert_round_trips((NonZeroI64::MIN, Wrapping(250_u8), Saturating(-7_i8), Reverse(1)));
    assert_eq!(round_trip(AtomicI32::new(-5)).load(Ordering::Relaxed), -5);
}

impl<T> Tagged<T> {
    fn it(self) -> T {
        let Self::It { it } = self;
        it
    }
}

#[test]
fn bytes_in_every_position_round_trip() {
    for length in [0, 1, 31, 255, 256, 70_000] {
        let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
        assert_round_trips(bytes.clone());
        assert_round_trips(ByteBuf::from(bytes.clone()));
        assert_round_trips(Bytes(bytes.clone()));
        assert_round_trips(bytes.clone().into_boxed_slice());
        assert_round_trips(VecDeque::from(bytes.clone()));
        assert_round_trips(BTreeMap::from([("key".to_owned(), bytes.clone())]));
        assert_round_trips(bytes.iter().map(|byte| Wrapping(*byte)).collect::<Vec<_>>());
    }
    assert_round_trips([7_u8; 32]);
    assert_round_trips(vec![[1_u8, 255]; 3]);
    assert_round_trips(CString::new("hello").unwrap());
    assert_round_trips(BTreeSet::from([1_u8, 200]));

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Note {
        Text(String),
        Blob(ByteBuf),
    }
    assert_round_trips(vec![Note::Text("abc".into()), Note::Blob(b"abc".to_vec().into())]);

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type", content = "data")]
    enum Packet {
        Buffer(ByteBuf),
        Bytes(Bytes),
        List(Vec<u8>),
    }
    let bytes = b"\0\xff".to_vec();
    assert_round_trips(Packet::Buffer(bytes.clone().into()));
    assert_round_trips(Packet::Bytes(bytes.clone().into()));
    assert_round_trips(Packet::List(bytes));
}

#[test]
fn lists_that_begin_with_bytes_round_trip() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Answer {
        Grade(u8),
        Number(i64),
        Text(String),
    }
    let grades = || vec![Answer::Grade(1); 40];
    let mut answers = grades();
    answers.extend([Answer::Number(-7), Answer::Text("none".into()), Answer::Grade(200)]);
    assert_round_trips(grades());
    assert_round_trips(answers);
}

#[test]
fn std_types_round_trip() {
    assert_round_trips(PathBuf::from("/usr/share"));
    assert_round_trips(Box::new(5));
    assert_round_trips(Cow::<str>::Owned("a".into()));
    assert_round_trips((1_u32..5, 1_u8..=5));
    assert_round_trips::<(Range<u64>, RangeInclusive<char>)>((0..u64::MAX, 'a'..='z'));
    assert_round_trips::<RangeFrom<i8>>(-1..);
    assert_round_trips(vec![Bound::Included(1), Bound::Excluded(2), Bound::Unbounded]);
    assert_round_trips(vec![Ok(1), Err("no".to_owned())]);
    assert_round_trips(HashSet::from(["a".to_owned(), String::new()]));
    assert_round_trips(LinkedList::from([1.5, -1.5]));
    assert_round_trips((Cell::new(1), RefCell::new("a".to_owned())));
    assert_eq!(round_trip(BinaryHeap::from([1, 3, 2])).into_sorted_vec(), [1, 2, 3]);
    assert_eq!(round_trip(Mutex::new(7)).into_inner().unwrap(), 7);
    assert_round_trips((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "twelve".to_owned()));
}

#[test]
fn json_in_a_value_round_trips() {
    let json = r#"{"a":[1,-1,1.5,null,true,"x",[200,3]],"b":{"c":18446744073709551615}}"#;
    assert_round_trips::<serde_json::Value>(serde_json::from_str(json).unwrap());
    let raw = Raw(json.to_owned());
    assert_eq!(round_trip(Common { it: raw.clone() }), Common { it: raw });
}

/// JSON text, serialized and deserialized like `serde_json::value::RawValue`.
#[derive(Debug, Clone, PartialEq)]
struct Raw(String);

const RAW: &str = "$serde_json::private::RawValue";

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut raw = serializer.serialize_struct(RAW, 1)?;
        raw.serialize_field(RAW, &self.0)?;
        raw.end()
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;
        impl<'de> serde::de::Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let entry = map.next_entry::<String, String>()?;
                let text = entry.filter(|(key, _)| key == RAW).map(|(_, text)| text);
                text.map(Raw).ok_or_else(|| serde::de::Error::custom("no JSON"))
            }
        }
        deserializer.deserialize_newtype_struct(RAW, RawVisitor)
    }
}

#[test]
fn renamed_skipped_and_default_fields_round_trip() {
    #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Settings {
        user_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<Option<u8>>,
        #[serde(rename = "type")]
        kind: u8,
    }
    assert_round_trips(Settings::default());
    assert_round_trips(Settings { user_name: "a".into(), note: Some(None), kind: 2 });
}
