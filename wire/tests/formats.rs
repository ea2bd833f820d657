//! Manifests and outcomes across versions, and MessagePack as other languages see it.

use hype_wire::{
    Blob, Bytes, ComponentRef, End, Failure, FailureKind, Outcome, Payload, RunManifest,
    Statistics, codec,
};
use serde::{Deserialize, Serialize};

fn manifest() -> RunManifest {
    let component = ComponentRef { name: "greet.wasm".into(), blob: Blob::of(b"component") };
    let arguments = Payload::Inline(Bytes(codec::array_head(0)));
    RunManifest::new("run-1", component, "greet", arguments)
}

fn outcome() -> Outcome {
    let failure = Failure::new(FailureKind::Function, "no");
    Outcome::new("run-1", 1, End::Failure(failure), Statistics::default())
}

#[test]
fn manifests_and_outcomes_read_what_they_write() {
    let bytes = manifest().to_bytes().unwrap();
    assert_eq!(RunManifest::from_bytes(&bytes).unwrap(), manifest());
    let bytes = outcome().to_bytes().unwrap();
    assert_eq!(Outcome::from_bytes(&bytes).unwrap(), outcome());
}

#[test]
fn a_newer_manifest_asks_for_a_newer_runner() {
    let mut newer = manifest();
    newer.format = 9;
    newer.hype = "7.1.0".into();
    let error = RunManifest::from_bytes(&newer.to_bytes().unwrap()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("written by hype 7.1.0"), "{message}");
    assert!(message.contains("spotify/hype:7.1.0"), "{message}");
}

#[test]
fn an_older_manifest_asks_for_a_newer_program() {
    let mut older = manifest();
    older.format = 0;
    let error = RunManifest::from_bytes(&older.to_bytes().unwrap()).unwrap_err();
    assert!(error.to_string().contains("submitting program with a newer hype"));
}

#[test]
fn a_newer_outcome_asks_for_a_newer_program() {
    let mut newer = outcome();
    newer.format = 9;
    newer.hype = "7.1.0".into();
    let error = Outcome::from_bytes(&newer.to_bytes().unwrap()).unwrap_err();
    assert!(error.to_string().contains("program with hype 7.1.0 or later"));
}

#[test]
fn a_format_may_gain_fields() {
    #[derive(Serialize)]
    struct Later {
        #[serde(flatten)]
        outcome: Outcome,
        weather: &'static str,
    }
    let later = Later { outcome: outcome(), weather: "fair" };
    let bytes = codec::to_vec(&later).unwrap();
    assert_eq!(Outcome::from_bytes(&bytes).unwrap(), outcome());
}

#[test]
fn lists_of_bytes_cross_as_bin() {
    for bytes in [
        codec::to_vec(&vec![1u8, 2, 3]).unwrap(),
        codec::to_vec([1u8, 2, 3].as_slice()).unwrap(),
        codec::to_vec(&Bytes(vec![1, 2, 3])).unwrap(),
    ] {
        assert_eq!(bytes, [0xc4, 3, 1, 2, 3]);
        assert_eq!(codec::from_slice::<Vec<u8>>(&bytes).unwrap(), [1, 2, 3]);
        assert_eq!(codec::from_slice::<Bytes>(&bytes).unwrap().0, [1, 2, 3]);
        assert_eq!(codec::from_slice::<[u8; 3]>(&bytes).unwrap(), [1, 2, 3]);
    }
}

#[test]
fn bytes_are_written_where_they_are() {
    let mut bytes = Vec::with_capacity(8);
    bytes.extend([1_u8, 2, 3]);
    let place = bytes.as_ptr();
    let written = codec::into_vec(bytes).unwrap();
    assert_eq!(written, [0xc4, 3, 1, 2, 3]);
    assert_eq!(written.as_ptr(), place);
    for size in [0, 255, 256, 65_535, 65_536] {
        let bytes = Bytes(vec![7_u8; size]);
        assert_eq!(codec::into_vec(bytes.0.clone()).unwrap(), codec::to_vec(&bytes).unwrap());
    }
    assert_eq!(codec::into_vec("text").unwrap(), codec::to_vec("text").unwrap());
    assert_eq!(codec::into_vec(None::<u8>).unwrap(), [0xc0]);
}

#[test]
fn bytes_are_read_where_they_are() {
    let written = vec![0xc4, 3, 1, 2, 3];
    let place = written.as_ptr();
    let bytes: Vec<u8> = codec::from_vec(written).unwrap();
    assert_eq!(bytes, [1, 2, 3]);
    assert_eq!(bytes.as_ptr(), place);
    // What isn't just bytes is read as ever, and what isn't whole refused.
    assert_eq!(codec::from_vec::<Vec<u8>>(vec![0x93, 1, 2, 3]).unwrap(), [1, 2, 3]);
    assert_eq!(codec::from_vec::<Vec<u16>>(vec![0xc4, 1, 9]).unwrap(), [9]);
    assert!(codec::from_vec::<Vec<u8>>(vec![0xc4, 3, 1, 2]).is_err());
    assert!(codec::from_vec::<Vec<u8>>(vec![0xc4, 1, 2, 3]).is_err());
}

#[test]
fn a_list_of_numbers_also_reads_as_bytes() {
    let list = [0x93, 1, 2, 3];
    assert_eq!(codec::from_slice::<Bytes>(&list).unwrap().0, [1, 2, 3]);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Word {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

#[test]
fn fields_are_named_and_may_be_skipped() {
    let word = Word { text: "a".into(), count: None };
    let bytes = codec::to_vec(&word).unwrap();
    assert_eq!(bytes, b"\x81\xa4text\xa1a");
    assert_eq!(codec::from_slice::<Word>(&bytes).unwrap(), word);
}

#[test]
fn an_error_names_the_path() {
    let bytes = codec::to_vec(&[("a", 1)]).unwrap();
    let error = codec::from_slice::<Vec<(String, String)>>(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "at [0][1]: invalid type: integer `1`, expected a string");
}

#[test]
fn what_follows_a_value_is_an_error() {
    let error = codec::from_slice::<u8>(&[1, 2]).unwrap_err();
    assert_eq!(error.to_string(), "something follows the value's end");
}

#[test]
fn deep_values_are_refused() {
    #[derive(Debug, Deserialize)]
    struct Nested(#[expect(dead_code, reason = "only its depth counts")] Option<Box<[Nested]>>);
    let mut bytes = vec![0x91; 10_000];
    bytes.push(0x90);
    let error = codec::from_slice::<Nested>(&bytes).unwrap_err();
    assert!(error.to_string().contains("depth limit"), "{error}");
}

#[test]
fn a_length_without_its_bytes_allocates_nothing() {
    let claims_4_gib = [0xc6, 0xff, 0xff, 0xff, 0xff, 1];
    assert!(codec::from_slice::<Bytes>(&claims_4_gib).is_err());
    assert!(codec::from_slice::<Vec<u8>>(&claims_4_gib).is_err());
    let claims_4_gi_items = [0xdd, 0xff, 0xff, 0xff, 0xff, 1];
    assert!(codec::from_slice::<Vec<u64>>(&claims_4_gi_items).is_err());
}
