//! Invalid values. The runner passes them on, since it knows no types; the submitter rejects them.

use hostile::attack::{executor, runtime};
use hostile::{Guest, Staged};
use hype_wire::{End, Payload, codec};
use serde::Deserialize;

/// A list of lists of lists.
#[derive(Debug, Deserialize)]
struct Nested(#[expect(dead_code, reason = "only its depth counts")] Vec<Nested>);

/// Returns the value of a guest with `items`, whose function has the body `call`.
fn value(items: &'static str, call: &'static str) -> Vec<u8> {
    let component = Guest { items, ..Guest::with_call(call) }.component();
    let outcome = runtime().block_on(async { Staged::new(&component).await.run(executor()).await });
    match outcome.end {
        End::Value(Payload::Inline(bytes)) => bytes.0,
        end => panic!("{end:?}"),
    }
}

#[test]
fn value_that_is_not_message_pack_is_rejected() {
    let bytes = value(
        r#"(data (i32.const 65536) "\c1\c1")"#,
        "(call $value (i32.const 65536) (i32.const 2))",
    );
    assert_eq!(bytes, [0xc1, 0xc1]);
    assert!(codec::from_slice::<String>(&bytes).is_err());
    assert!(
        codec::from_slice::<()>(&value("", "(call $value (i32.const 8) (i32.const 0))")).is_err()
    );
}

#[test]
fn value_with_trailing_bytes_is_rejected() {
    let bytes = value(
        r#"(data (i32.const 65536) "\a1a\c0")"#,
        "(call $value (i32.const 65536) (i32.const 3))",
    );
    let error = codec::from_slice::<String>(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "something follows the value's end");
}

#[test]
fn value_that_nests_too_deep_is_rejected() {
    let bytes = value(
        "",
        "(memory.fill (i32.const 65536) (i32.const 0x91) (i32.const 60000))
         (call $value (i32.const 65536) (i32.const 60000))",
    );
    let error = codec::from_slice::<Nested>(&bytes).unwrap_err();
    assert!(error.to_string().contains("nests too deep"), "{error}");
}

#[test]
fn truncated_value_is_rejected() {
    let bytes = value(
        r#"(data (i32.const 65536) "\dd\ff\ff\ff\ff\01")"#,
        "(call $value (i32.const 65536) (i32.const 6))",
    );
    assert!(codec::from_slice::<Vec<u64>>(&bytes).is_err());
}
