//! `cargo hype call` converts arguments by the parameter types that the component knows.

use std::sync::LazyLock;

use insta::assert_snapshot;

use crate::hype::{RedactedOutput, hype, target_directory};

/// The path of the component with the called functions.
pub(crate) static GUESTS: LazyLock<String> = LazyLock::new(|| {
    let output = hype(&["build", "-p", "test-guests"]).redacted();
    assert_eq!(output.status, 0, "{output}");
    target_directory().join("hype/test-guests.wasm").to_str().unwrap().to_owned()
});

fn call(arguments: &[&str]) -> RedactedOutput {
    hype(&[&["call", GUESTS.as_str()], arguments].concat()).redacted().without_progress()
}

/// Calls a function that returns its argument, and returns the printed value. Checks that the printed value is
/// accepted as an argument.
fn echoed(function: &str, argument: &str) -> String {
    let first = call(&[function, argument]);
    assert_eq!(first.status, 0, "{first}");
    let second = call(&[function, first.stdout.trim_end()]);
    assert_eq!(second.stdout, first.stdout, "{second}");
    first.stdout.trim_end().to_owned()
}

/// Calls a function with an invalid argument and returns the message.
fn rejection(arguments: &[&str]) -> String {
    let output = call(arguments);
    assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{output}");
    let message = output.stderr.trim_end().strip_prefix("error: ");
    message.unwrap_or_else(|| panic!("{output}")).to_owned()
}

#[test]
fn struct_fields_with_text_forms_round_trip() {
    let booking = r#"{"id":"67e55044-10b1-426f-9247-bb680e5fe0c8","server":"[::1]:80","guests":["10.0.0.1","::2"],"day":"2024-02-29","serial":340282366920938463463374607431768211455,"balance":-170141183460469231731687303715884105728,"note":"null","discount":{"$some":null}}"#;
    assert_eq!(echoed("echo_booking", booking), booking);
}

#[test]
fn bare_words_are_read_by_parameter_type() {
    let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    for text in ["123", "true", "null", "{broken", "\"quoted", "1e999", "{\"a\":1}", ""] {
        let output = call(&["tell_apart", text, text, id, "10.0.0.1", "2024-02-29"]);
        let maybe = match text {
            "null" => "None".to_owned(),
            text => format!("Some({text:?})"),
        };
        let expected = format!("{text:?} {maybe} {id} 10.0.0.1 2024-02-29");
        assert_eq!(output.stdout, format!("{}\n", serde_json::json!(expected)), "{output}");
    }
    let quoted = ["tell_apart", "\"123\"", "\"null\"", "\"67e5504410b1426f9247bb680e5fe0c8\""];
    let output = call(&[&quoted[..], &["\"::1\"", "\"2024-02-29\""]].concat());
    let expected = format!("\"123\" Some(\"null\") {id} ::1 2024-02-29");
    assert_eq!(output.stdout, format!("{}\n", serde_json::json!(expected)), "{output}");
}

#[test]
fn integers_up_to_128_bits_are_accepted() {
    let output = call(&["next_serial", "340282366920938463463374607431768211454"]);
    assert_eq!(output.stdout, "340282366920938463463374607431768211455\n", "{output}");
    assert_eq!(call(&["next_serial", "18446744073709551615"]).stdout, "18446744073709551616\n");
    assert_snapshot!(
        rejection(&["next_serial", "340282366920938463463374607431768211456"]),
        @"parameter `number: u128` of `next_serial`: the argument has a number of more than 128 bits: `340282366920938463463374607431768211456` at column 1"
    );
}

#[test]
fn map_keys_keep_their_types() {
    let keyed = r#"{"numbers":{"5":"five"},"flags":{"false":0,"true":1},"places":[[[1,-2],"here"]],"cards":[["Joker",1],[{"Number":7},2]]}"#;
    assert_eq!(echoed("echo_keyed", keyed), keyed);
    assert_eq!(echoed("echo_card", "Joker"), r#""Joker""#);
    assert_eq!(echoed("echo_card", r#"{"Number":7}"#), r#"{"Number":7}"#);
}

#[test]
fn tagged_enums_round_trip() {
    let login = r#"{"type":"Login","from":"::1"}"#;
    assert_eq!(echoed("echo_event", login), login);
    let counted = r#"{"type":"Counted","by_port":{"80":1.5,"443":"NaN"},"by_place":[[[1,2],3]]}"#;
    assert_eq!(echoed("echo_event", counted), counted);
}

#[test]
fn numbers_that_json_lacks_cause_a_warning() {
    let output = call(&["echo_floats", r#"[1, 0.1, "NaN", "-inf"]"#]);
    assert_snapshot!(output, @r#"
    status 0
    --- stdout
    [1.0,0.1,"NaN","-inf"]
    --- stderr
    warning: JSON has no NaN and no infinity: NaN at [2], -inf at [3] are printed as strings
    "#);
}

#[test]
fn json_syntax_errors_are_reported() {
    assert_snapshot!(
        rejection(&["echo_card", r#"{"Number": 1,}"#]),
        @"parameter `card: Card` of `echo_card`: the argument isn't JSON: trailing comma at column 14"
    );
    assert_snapshot!(
        rejection(&["echo_booking", r#"{"id": "67e55044"#]),
        @"parameter `booking: Booking` of `echo_booking`: the argument isn't JSON: EOF while parsing a string at column 16"
    );
    assert_snapshot!(
        rejection(&["echo_event", r#"{"type": "Login", "from": "::1",}"#]),
        @"parameter `event: Event` of `echo_event`: the argument isn't JSON: trailing comma at column 33"
    );
    assert_snapshot!(
        rejection(&["echo_floats", "[1, NaN]"]),
        @"parameter `values: Vec<f64>` of `echo_floats`: the argument isn't JSON: expected value at column 5"
    );
    assert_snapshot!(
        rejection(&["echo_floats", "[1e999]"]),
        @"parameter `values: Vec<f64>` of `echo_floats`: the argument has a number that is too large for 64-bit floats: `1e999` at column 2"
    );
    assert_snapshot!(
        rejection(&["echo_keyed", r#"{"numbers": {"5": "a", "5": "b"}}"#]),
        @"parameter `keyed: Keyed` of `echo_keyed`: the argument has the key `5` twice, the second time at column 24"
    );
}

#[test]
fn mismatches_name_parameter_and_position() {
    assert_snapshot!(
        rejection(&["echo_card", "Jocker"]),
        @"parameter `card: Card` of `echo_card`: unknown variant `Jocker`, expected `Joker` or `Number` (the argument isn't JSON: expected value at column 1)"
    );
    assert_snapshot!(
        rejection(&["echo_event", "login"]),
        @r#"parameter `event: Event` of `echo_event`: expected internally tagged enum Event, found the string "login" (the argument isn't JSON: expected value at column 1)"#
    );
    assert_snapshot!(
        rejection(&["next_serial", "-1"]),
        @"parameter `number: u128` of `next_serial`: expected u128, found the number -1"
    );
    assert_snapshot!(
        rejection(&["next_serial", "\"5\""]),
        @r#"parameter `number: u128` of `next_serial`: expected u128, found the string "5""#
    );
    assert_snapshot!(
        rejection(&["echo_floats", "[1, null]"]),
        @"parameter `values: Vec<f64>` of `echo_floats`: at [1]: expected f64, found nothing"
    );
    assert_snapshot!(
        rejection(&["echo_keyed", r#"{"numbers": {"five": "a"}}"#]),
        @r#"parameter `keyed: Keyed` of `echo_keyed`: at numbers.five: expected u32, found the string "five""#
    );
    assert_snapshot!(
        rejection(&["echo_keyed", r#"{"numbers": {}, "flag": {}}"#]),
        @"parameter `keyed: Keyed` of `echo_keyed`: at flag: unknown field `flag`, expected one of `numbers`, `flags`, `places`, `cards`"
    );
    assert_snapshot!(
        rejection(&["echo_keyed", r#"{"numbers": {}}"#]),
        @"parameter `keyed: Keyed` of `echo_keyed`: missing field `flags`"
    );
    let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    assert_snapshot!(
        rejection(&["tell_apart", "", "", id, "10.0.0.999", "2024-02-29"]),
        @"parameter `from: IpAddr` of `tell_apart`: invalid IP address syntax"
    );
    assert_snapshot!(
        rejection(&["tell_apart", "", "", id, "::1", "2024-02-30"]),
        @"parameter `day: Date` of `tell_apart`: parsed date is not valid: parameter 'day' for `2024-02` is invalid, must be in range `1..=29`"
    );
    assert_snapshot!(
        rejection(&["tell_apart", "", "", "5", "::1", "2024-02-29"]),
        @"parameter `id: Uuid` of `tell_apart`: UUID parsing failed: invalid length: found 1"
    );
    assert_snapshot!(
        rejection(&["tell_apart", "a"]),
        @"`tell_apart(text: String, maybe: Option<String>, id: Uuid, from: IpAddr, day: Date) -> String` takes 5 arguments, and 1 was given"
    );
}

#[test]
fn untyped_component_rejects_invalid_json() {
    let directory = tempfile::tempdir().unwrap();
    let component = directory.path().join("silent.wasm");
    std::fs::write(&component, b"\0asm\x0d\0\x01\0").unwrap();
    let output = hype(&["call", component.to_str().unwrap(), "f", "1", "{\"a\": 1,}"]).redacted();
    assert_snapshot!(output, @r#"
    status 2
    --- stderr
    error: argument 2 of `f` isn't JSON: trailing comma at column 9
    Hint: put a string that looks like JSON into quotes
    "#);
}
