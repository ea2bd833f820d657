//! Decoding of MessagePack from other encoders, and of malformed input.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use hype_wire::{Bytes, Fault, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

fn read<T: DeserializeOwned>(bytes: &[u8]) -> T {
    codec::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:x?}"))
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i16,
    y: f64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Circle(f64),
}

#[test]
fn encodings_of_other_writers_decode() {
    assert_eq!(read::<u8>(&[0xcf, 0, 0, 0, 0, 0, 0, 0, 5]), 5);
    assert_eq!(read::<u64>(&[0xd3, 0, 0, 0, 0, 0, 0, 0, 5]), 5);
    assert_eq!(read::<i64>(&[0xd0, 0xff]), -1);
    assert_eq!(read::<u128>(&[5]), 5);
    assert_eq!(read::<i128>(&[0xff]), -1);
    assert_eq!(read::<f64>(&[0xca, 0x3f, 0xc0, 0, 0]), 1.5);
    assert_eq!(read::<f64>(&[5]), 5.0);
    assert_eq!(read::<Vec<u8>>(&[0x92, 1, 0xcc, 200]), [1, 200]);
    assert_eq!(read::<Bytes>(&[0x92, 1, 0xcc, 200]).0, [1, 200]);
    assert_eq!(read::<Vec<u64>>(&[0xc4, 2, 1, 200]), [1, 200]);
    assert_eq!(read::<Point>(&[0x92, 1, 0xca, 0x3f, 0xc0, 0, 0]), Point { x: 1, y: 1.5 });
    assert_eq!(read::<Shape>(b"\xa5Empty"), Shape::Empty);
    assert_eq!(read::<Shape>(b"\x81\xa5Empty\xc0"), Shape::Empty);
    assert_eq!(read::<Shape>(b"\x81\xa6Circle\x01"), Shape::Circle(1.0));
    assert_eq!(read::<Option<Option<u8>>>(&[0xc0]), None);
    assert_eq!(read::<Option<Option<u8>>>(&[7]), Some(Some(7)));
}

#[test]
fn number_and_boolean_keys_decode_from_text() {
    fn keys<K: DeserializeOwned + Eq + std::hash::Hash + Debug>(text: &str, key: K) {
        let bytes = codec::to_vec(&BTreeMap::from([(text, 1)])).unwrap();
        assert_eq!(read::<HashMap<K, u8>>(&bytes), HashMap::from([(key, 1)]));
    }
    keys("5", 5_u8);
    keys("-5", -5_i64);
    keys("18446744073709551615", u64::MAX);
    keys("340282366920938463463374607431768211455", u128::MAX);
    keys("-7", -7_i128);
    keys("true", true);
    keys("5", Some(5_u8));
    // Outside of keys the text of a number is not a number.
    let error = codec::from_slice::<u8>(b"\xa15").unwrap_err();
    assert_eq!(error.to_string(), "expected u8, found the string \"5\"");
    let error = codec::from_slice::<HashMap<(u8, u8), u8>>(b"\x81\x92\xa15\x01\x01").unwrap_err();
    assert!(error.to_string().contains("found the string"), "{error}");
}

#[test]
fn map_decodes_from_a_list_of_pairs() {
    let pairs = [0x92, 0x92, 0x91, 1, 2, 0x92, 0x91, 3, 4];
    assert_eq!(read::<BTreeMap<Vec<u8>, u8>>(&pairs), BTreeMap::from([(vec![1], 2), (vec![3], 4)]));
    let error = codec::from_slice::<BTreeMap<u8, u8>>(&[0x91, 5]).unwrap_err();
    assert!(error.to_string().contains("a list of a key and a value"), "{error}");
}

#[test]
fn list_length_must_match_the_type() {
    assert!(codec::from_slice::<(u8, u8)>(&[0x93, 1, 2, 3]).is_err());
    assert!(codec::from_slice::<(u8, u8)>(&[0x91, 1]).is_err());
    assert!(codec::from_slice::<[u8; 2]>(&[0xc4, 3, 1, 2, 3]).is_err());
}

#[test]
fn type_depth_and_syntax_faults_are_distinguished() {
    let fault = |bytes: &[u8]| codec::from_slice::<Vec<Vec<String>>>(bytes).unwrap_err().fault();
    assert_eq!(fault(&[5]), Fault::Type);
    assert_eq!(fault(&[0x91, 0x91, 5]), Fault::Type);
    assert_eq!(fault(&[0x91; 100]), Fault::Malformed, "they end in the middle");
    assert_eq!(fault(&[vec![0x91; 200], vec![5]].concat()), Fault::Depth);
    assert_eq!(fault(&[0xc1]), Fault::Malformed);
    assert_eq!(fault(&[0x92, 5]), Fault::Malformed);
    assert_eq!(fault(&[0x90, 5]), Fault::Malformed);
    assert_eq!(fault(b"not MessagePack"), Fault::Malformed);
    assert_eq!(fault(&[0xd4, 9, 9]), Fault::Malformed);
    assert_eq!(fault(b"\x91\x91\xa2\xff\xff"), Fault::Malformed);
    assert_eq!(fault(&[]), Fault::Malformed);
}

#[test]
fn encoder_corrects_announced_lengths() {
    /// A list that announces a wrong number of elements, which JSON ignores.
    struct Announced(usize, usize);
    impl Serialize for Announced {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            let mut list = serializer.serialize_seq(Some(self.0))?;
            (0..self.1).try_for_each(|_| list.serialize_element("x"))?;
            list.end()
        }
    }
    /// A tuple that announces a wrong number of elements.
    struct Tuple(usize, usize);
    impl Serialize for Tuple {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeTuple;
            let mut tuple = serializer.serialize_tuple(self.0)?;
            (0..self.1).try_for_each(|_| tuple.serialize_element("x"))?;
            tuple.end()
        }
    }
    /// A map that announces a wrong number of entries.
    struct Map(usize, usize);
    impl Serialize for Map {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeMap;
            let mut map = serializer.serialize_map(Some(self.0))?;
            (0..self.1).try_for_each(|key| map.serialize_entry(&key, "x"))?;
            map.end()
        }
    }
    for (announced, real) in [(0, 3), (3, 0), (1, 20), (70_000, 3), (3, 70_000), (20, 3)] {
        let bytes = codec::to_vec(&(Announced(announced, real), 9)).unwrap();
        let (list, behind) = read::<(Vec<String>, u8)>(&bytes);
        assert_eq!((list.len(), behind), (real, 9), "{announced} announced");
        let bytes = codec::to_vec(&(Tuple(announced, real), 9)).unwrap();
        let (list, behind) = read::<(Vec<String>, u8)>(&bytes);
        assert_eq!((list.len(), behind), (real, 9), "{announced} announced");
        let bytes = codec::to_vec(&(Map(announced, real), 9)).unwrap();
        let (map, behind) = read::<(BTreeMap<usize, String>, u8)>(&bytes);
        assert_eq!((map.len(), behind), (real, 9), "{announced} announced");
    }
}
