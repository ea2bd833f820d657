//! Format versions of manifests and outcomes, limits on untrusted input, and the MessagePack of values.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hype_wire::{
    Blob, Bytes, Call, ComponentRef, ControlAction, ControlReply, ControlRequest, DrivenRun, End,
    Failure, FailureKind, Frame, Job, Lease, LiveRun, Location, Outcome, Payload, RunManifest,
    Statistics, codec,
};
use serde::{Deserialize, Serialize};

fn manifest() -> RunManifest {
    let component = ComponentRef { name: "greet.wasm".into(), blob: Blob::of(b"component") };
    let arguments = Payload::Inline(Bytes(codec::array_head(0)));
    RunManifest::new(
        "run-1".parse().unwrap(),
        Job::new(component),
        Call::closure("greet", arguments),
    )
}

fn outcome() -> Outcome {
    let failure = Failure::new(FailureKind::Function, "no");
    Outcome::new("run-1".parse().unwrap(), 1, End::Failure(failure), Statistics::default())
}

#[test]
fn manifest_and_outcome_decode_to_equal_values() {
    let bytes = manifest().to_bytes().unwrap();
    assert_eq!(RunManifest::from_bytes(&bytes).unwrap(), manifest());
    let bytes = outcome().to_bytes().unwrap();
    assert_eq!(Outcome::from_bytes(&bytes).unwrap(), outcome());
}

#[test]
fn parts_of_arguments_are_written_only_if_there_are_some() {
    let names_parts = |bytes: &[u8]| bytes.windows(4).any(|name| name == b"more");
    assert!(!names_parts(&manifest().to_bytes().unwrap()));
    let mut in_parts = manifest();
    let value = Payload::Staged { name: "runs/run-1/value".into(), blob: Blob::of(b"value") };
    in_parts.call.more = vec![value, Payload::Inline(Bytes(vec![1]))];
    let bytes = in_parts.to_bytes().unwrap();
    assert!(names_parts(&bytes));
    assert_eq!(RunManifest::from_bytes(&bytes).unwrap(), in_parts);
}

#[test]
fn lease_decodes_or_names_the_upgrade() {
    let mut lease =
        Lease::new("run-1".parse().unwrap(), "greet", "owner", std::time::Duration::from_secs(60));
    assert_eq!(Lease::from_bytes(&lease.to_bytes().unwrap()).unwrap(), lease);
    lease.format = 9;
    lease.hype = "7.1.0".into();
    let error = Lease::from_bytes(&lease.to_bytes().unwrap()).unwrap_err().to_string();
    assert!(error.contains("the lease is in format 9"), "{error}");
    assert!(error.contains("build this program with hype 7.1.0 or later"), "{error}");
}

#[test]
fn entry_of_live_run_decodes_to_an_equal_value() {
    let mut entry = LiveRun::new("run-1".parse().unwrap(), "greet", "greet.wasm");
    entry.place = Some("kubernetes:team".into());
    entry.set_age(std::time::Duration::from_secs(5));
    assert_eq!(LiveRun::from_bytes(&entry.to_bytes().unwrap()).unwrap(), entry);
}

#[test]
fn control_messages_decode_to_equal_values() {
    let run_id: hype_wire::RunId = "run-1".parse().unwrap();
    for action in [
        ControlAction::List,
        ControlAction::Log { run_id: run_id.clone(), tail: Some(3), follow: true },
        ControlAction::Cancel { run_id: run_id.clone() },
    ] {
        let request = ControlRequest::new(action);
        assert_eq!(ControlRequest::from_bytes(&request.to_bytes().unwrap()).unwrap(), request);
    }
    let run = DrivenRun {
        run_id,
        stage_url: "file:///s".into(),
        function: "greet".into(),
        component: "greet.wasm".into(),
        attempt: 2,
        has_ended: false,
        is_detached: true,
        age_ms: 7,
    };
    let line = ControlReply::Line { is_error: true, text: "no weights".into() };
    for reply in [ControlReply::Run(run), line, ControlReply::Done, ControlReply::Unknown] {
        assert_eq!(ControlReply::from_bytes(&reply.to_bytes().unwrap()).unwrap(), reply);
    }
    assert!(ControlReply::from_bytes(&[0xc1; 8]).is_err());
}

#[test]
fn error_for_newer_manifest_suggests_newer_runner() {
    let mut newer = manifest();
    newer.format = 9;
    newer.hype = "7.1.0".into();
    let error = RunManifest::from_bytes(&newer.to_bytes().unwrap()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("written by hype 7.1.0"), "{message}");
    assert!(message.contains("spotify/hype:7.1.0"), "{message}");
}

#[test]
fn error_for_older_manifest_suggests_newer_program() {
    let mut older = manifest();
    older.format = 0;
    let error = RunManifest::from_bytes(&older.to_bytes().unwrap()).unwrap_err();
    assert!(error.to_string().contains("submitting program with a newer hype"));
}

/// Format 1 encodes values differently.
#[test]
fn format_1_is_rejected_on_both_sides() {
    let mut manifest = manifest();
    manifest.format = 1;
    let error = RunManifest::from_bytes(&manifest.to_bytes().unwrap()).unwrap_err().to_string();
    assert!(error.contains("is in format 1") && error.contains("reads format 3:"), "{error}");
    assert!(error.ends_with("build the submitting program with a newer hype"), "{error}");
    let mut outcome = outcome();
    outcome.format = 1;
    let error = Outcome::from_bytes(&outcome.to_bytes().unwrap()).unwrap_err().to_string();
    assert!(error.contains("is in format 1") && error.contains("use a newer runner"), "{error}");
}

#[test]
fn error_for_newer_outcome_suggests_newer_program() {
    let mut newer = outcome();
    newer.format = 9;
    newer.hype = "7.1.0".into();
    let error = Outcome::from_bytes(&newer.to_bytes().unwrap()).unwrap_err();
    assert!(error.to_string().contains("program with hype 7.1.0 or later"));
}

#[test]
fn unknown_fields_are_ignored() {
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
fn byte_strings_are_encoded_as_bin() {
    let mut whole = Vec::new();
    codec::append_owned(&mut whole, vec![1u8, 2, 3]).unwrap();
    for bytes in [whole, codec::to_vec(&Bytes(vec![1, 2, 3])).unwrap()] {
        assert_eq!(bytes, [0xc4, 3, 1, 2, 3]);
        assert_eq!(codec::from_slice::<Vec<u8>>(&bytes).unwrap(), [1, 2, 3]);
        assert_eq!(codec::from_vec::<Vec<u8>>(bytes.clone()).unwrap(), [1, 2, 3]);
        assert_eq!(codec::from_slice::<Bytes>(&bytes).unwrap().0, [1, 2, 3]);
        assert_eq!(codec::from_slice::<[u8; 3]>(&bytes).unwrap(), [1, 2, 3]);
    }
}

#[test]
fn bytes_in_tagged_and_untagged_enums_decode() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Message {
        Image { pixels: Vec<u8>, icon: Bytes },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Answer {
        Grade(u8),
        Text(String),
    }
    let image = Message::Image { pixels: vec![1, 200], icon: Bytes(vec![3]) };
    let bytes = codec::to_vec(&image).unwrap();
    assert_eq!(codec::from_slice::<Message>(&bytes).unwrap(), image);
    let answers = vec![Answer::Grade(1), Answer::Text("none".into())];
    let bytes = codec::to_vec(&answers).unwrap();
    assert_eq!(codec::from_slice::<Vec<Answer>>(&bytes).unwrap(), answers);
}

#[test]
fn encoding_bytes_reuses_their_buffer() {
    let mut bytes = Vec::with_capacity(8);
    bytes.extend([1_u8, 2, 3]);
    let address = bytes.as_ptr();
    let written = codec::into_vec(bytes).unwrap();
    assert_eq!(written, [0xc4, 3, 1, 2, 3]);
    assert_eq!(written.as_ptr(), address);
    for size in [0, 255, 256, 65_535, 65_536] {
        let bytes = Bytes(vec![7_u8; size]);
        assert_eq!(codec::into_vec(bytes.0.clone()).unwrap(), codec::to_vec(&bytes).unwrap());
    }
    assert_eq!(codec::into_vec("text".to_owned()).unwrap(), codec::to_vec("text").unwrap());
    assert_eq!(codec::into_vec(None::<u8>).unwrap(), [0xc0]);
}

#[test]
fn decoding_bytes_reuses_the_buffer() {
    let written = vec![0xc4, 3, 1, 2, 3];
    let address = written.as_ptr();
    let bytes: Vec<u8> = codec::from_vec(written).unwrap();
    assert_eq!(bytes, [1, 2, 3]);
    assert_eq!(bytes.as_ptr(), address);
    // Other encodings are copied, and truncated input is rejected.
    assert_eq!(codec::from_vec::<Vec<u8>>(vec![0x93, 1, 2, 3]).unwrap(), [1, 2, 3]);
    assert_eq!(codec::from_vec::<Vec<u16>>(vec![0xc4, 1, 9]).unwrap(), [9]);
    assert!(codec::from_vec::<Vec<u8>>(vec![0xc4, 3, 1, 2]).is_err());
    assert!(codec::from_vec::<Vec<u8>>(vec![0xc4, 1, 2, 3]).is_err());
}

#[test]
fn only_argument_of_bytes_reuses_its_buffer() {
    let mut content = Vec::with_capacity(16);
    content.extend([1_u8, 2, 3, 4]);
    let address = content.as_ptr();
    let mut array = codec::array_head(1);
    codec::append_owned(&mut array, content).unwrap();
    assert_eq!(array, [0x91, 0xc4, 4, 1, 2, 3, 4]);
    assert_eq!(array.as_ptr(), address);
    let (count, mut values) = codec::Values::of_array(array).unwrap();
    assert_eq!(count, 1);
    let content: Vec<u8> = values.read_owned().unwrap();
    assert_eq!(content, [1, 2, 3, 4]);
    assert_eq!(content.as_ptr(), address);
    values.finish().unwrap();
}

#[test]
fn bytes_mix_with_other_arguments() {
    let mut array = codec::array_head(4);
    codec::append_owned(&mut array, "a string that is longer".to_owned()).unwrap();
    for content in [vec![1_u8, 2], vec![7; 99], vec![]] {
        codec::append_owned(&mut array, content).unwrap();
    }
    let (count, mut values) = codec::Values::of_array(array).unwrap();
    assert_eq!(count, 4);
    assert_eq!(values.read_owned::<String>().unwrap(), "a string that is longer");
    assert_eq!(values.read_owned::<Vec<u8>>().unwrap(), [1, 2]);
    assert_eq!(values.read_owned::<Vec<u8>>().unwrap(), [7; 99]);
    assert_eq!(values.read_owned::<Vec<u8>>().unwrap(), [0; 0]);
    assert!(values.read_owned::<Vec<u8>>().is_err());
    values.finish().unwrap();
}

#[test]
fn list_of_numbers_decodes_as_bytes() {
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
fn structs_are_maps_without_skipped_fields() {
    let word = Word { text: "a".into(), count: None };
    let bytes = codec::to_vec(&word).unwrap();
    assert_eq!(bytes, b"\x81\xa4text\xa1a");
    assert_eq!(codec::from_slice::<Word>(&bytes).unwrap(), word);
}

#[test]
fn decode_error_names_the_field() {
    let bytes = codec::to_vec(&[("a", 1)]).unwrap();
    let error = codec::from_slice::<Vec<(String, String)>>(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "at [0][1]: expected a string, found the number 1");
}

#[test]
fn trailing_bytes_are_rejected() {
    let error = codec::from_slice::<u8>(&[1, 2]).unwrap_err();
    assert_eq!(error.to_string(), "something follows the value's end");
}

#[test]
fn deep_values_are_rejected() {
    #[derive(Debug, Deserialize)]
    struct Nested(#[expect(dead_code, reason = "only its depth counts")] Option<Box<[Nested]>>);
    let mut bytes = vec![0x91; 10_000];
    bytes.push(0x90);
    let error = codec::from_slice::<Nested>(&bytes).unwrap_err();
    assert!(error.to_string().contains("nests too deep"), "{error}");
}

#[test]
fn claimed_length_allocates_nothing() {
    let claims_4_gib = [0xc6, 0xff, 0xff, 0xff, 0xff, 1];
    assert!(codec::from_slice::<Bytes>(&claims_4_gib).is_err());
    assert!(codec::from_slice::<Vec<u8>>(&claims_4_gib).is_err());
    let claims_4_gi_items = [0xdd, 0xff, 0xff, 0xff, 0xff, 1];
    assert!(codec::from_slice::<Vec<u64>>(&claims_4_gi_items).is_err());
}

#[test]
fn truncated_trailing_value_is_rejected() {
    for follows in [&[0x91][..], &[0x81], &[0x92, 1], &[0xc4], &[0xcd, 1]] {
        let bytes = [&[1], follows].concat();
        let error = codec::from_slice::<u8>(&bytes).unwrap_err();
        assert_eq!(error.to_string(), "something follows the value's end", "{bytes:x?}");
    }
}

/// A recursive type whose levels are variants instead of lists.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Expression {
    Number(u8),
    Not(Box<Expression>),
}

fn negated(times: usize) -> Expression {
    (0..times).fold(Expression::Number(1), |inner, _| Expression::Not(Box::new(inner)))
}

#[test]
fn variants_count_as_nesting_levels() {
    let deepest = negated(codec::MAX_DEPTH - 1);
    let bytes = codec::to_vec(&deepest).unwrap();
    assert_eq!(codec::from_slice::<Expression>(&bytes).unwrap(), deepest);
    // Deep enough to overflow any stack.
    let bytes = [b"\x81\xa3Not".repeat(1_000_000), b"\x81\xa6Number\x01".to_vec()].concat();
    let error = codec::from_slice::<Expression>(&bytes).unwrap_err();
    assert!(error.to_string().contains("nests too deep"), "{error}");
}

#[test]
fn quotes_in_messages_are_truncated() {
    let bytes = codec::to_vec(&"x".repeat(1 << 20)).unwrap();
    let message = codec::from_slice::<Vec<String>>(&bytes).unwrap_err().to_string();
    assert!(message.starts_with("expected a sequence, found the string \"xxx"), "{message}");
    assert!(message.ends_with("bytes more)") && message.len() <= 1 << 10, "{message}");

    let map = std::collections::BTreeMap::from([("k".repeat(1 << 20), "text")]);
    let bytes = codec::to_vec(&map).unwrap();
    let error = codec::from_slice::<std::collections::BTreeMap<String, u8>>(&bytes).unwrap_err();
    assert!(error.to_string().len() <= 2100, "{} bytes", error.to_string().len());
    assert!(error.to_string().ends_with("expected u8, found the string \"text\""));
}

/// A failure that exceeds every limit.
fn oversized_failure() -> Failure {
    let long = || "ü".repeat(10_000);
    let location = Location { file: long(), line: u32::MAX };
    let frame = Frame { function: long(), location: Some(location.clone()) };
    Failure {
        causes: vec![long(); 100],
        location: Some(location),
        ..Failure::new(FailureKind::Infrastructure, long()).with_backtrace(vec![frame; 500])
    }
}

#[test]
fn largest_outcome_fits_the_maximum_size() {
    let statistics =
        Statistics { why_compiled: Some("x".repeat(1 << 20)), ..Statistics::default() };
    let mut largest = Outcome::new(
        "r".repeat(63).parse().unwrap(),
        1,
        End::Failure(oversized_failure()),
        statistics,
    );
    largest.stdout = Bytes(vec![0; 64 << 10]);
    largest.stderr = Bytes(vec![0; 64 << 10]);
    let bytes = largest.to_bytes().unwrap();
    let size = bytes.len() as u64 + Payload::INLINE_LIMIT as u64;
    assert!(size <= Outcome::MAX_SIZE, "{size} bytes");
    assert!(Outcome::from_bytes(&bytes).unwrap() == largest);
    let End::Failure(failure) = &largest.end else { panic!("a failure") };
    assert!(failure.message.starts_with('ü') && failure.message.ends_with("bytes more)"));
    assert_eq!(failure.causes.last().unwrap(), "69 causes more");
}

#[test]
fn decoding_truncates_a_long_failure() {
    let mut outcome = outcome();
    outcome.end = End::Failure(Failure {
        causes: vec!["why".into(); 1000],
        ..Failure::new(FailureKind::Function, "x".repeat(100_000))
    });
    let read = Outcome::from_bytes(&outcome.to_bytes().unwrap()).unwrap();
    let End::Failure(failure) = read.end else { panic!("a failure") };
    assert!((16_000..=16 << 10).contains(&failure.message.len()));
    assert_eq!(failure.causes.len(), 32);
}

#[test]
fn oversized_objects_are_rejected_on_both_sides() {
    let mut outcome = outcome();
    outcome.stdout = Bytes(vec![0; 1 << 20]);
    let written = outcome.to_bytes().unwrap_err().to_string();
    assert!(written.starts_with("the outcome has 1048"), "{written}");
    let read = Outcome::from_bytes(&codec::to_vec(&outcome).unwrap()).unwrap_err().to_string();
    assert_eq!(read, written);

    let mut manifest = manifest();
    manifest.job.env.insert("LONG".into(), "x".repeat(16 << 20));
    let written = manifest.to_bytes().unwrap_err().to_string();
    assert!(written.ends_with("of 16777216 that it can have"), "{written}");
    let bytes = codec::to_vec(&manifest).unwrap();
    assert_eq!(RunManifest::from_bytes(&bytes).unwrap_err().to_string(), written);
}
