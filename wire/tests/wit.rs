//! The conversion of arguments of WIT types, and the names that Rust types give to them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hype_wire::WitType as W;
use hype_wire::wit::{GuestMemory, Signature};
use hype_wire::{Bytes, NotJson, TextArgument, codec};
use serde::{Deserialize, Serialize};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn list(of: W) -> W {
    W::List(Box::new(of))
}

fn option(of: W) -> W {
    W::Option(Box::new(of))
}

fn word() -> W {
    let fields = [("the-word", W::String), ("times", W::U32), ("note", option(W::String))];
    W::Record(fields.map(|(name, of)| (name.to_owned(), of)).into())
}

fn shape() -> W {
    W::Variant(vec![("dot".into(), None), ("wide-line".into(), Some(W::Tuple(vec![W::U8, W::U8])))])
}

/// Returns the error of an argument, or the empty text.
fn error<T: Serialize>(of: W, value: &T) -> String {
    let signature = Signature::new(&[("x".into(), of)], None).unwrap();
    let arguments = codec::to_vec(&(value,)).unwrap();
    let error = signature.check(&arguments).err().map(|error| error.to_string());
    error.unwrap_or_default().replace("argument 1 (x): ", "")
}

fn assert_fits<T: Serialize>(of: W, value: &T) {
    assert_eq!(error(of, value), "");
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Word {
    the_word: String,
    times: u32,
    note: Option<String>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Shape {
    Dot,
    WideLine(u8, u8),
}

#[test]
fn rust_values_fit_the_corresponding_types() {
    let word_of =
        |note: Option<&str>| Word { the_word: "a".into(), times: 1, note: note.map(str::to_owned) };
    assert_fits(word(), &word_of(None));
    assert_fits(list(word()), &[word_of(Some("b")), word_of(None)]);
    assert_fits(word(), &("a", 1, ()));
    assert_fits(shape(), &Shape::Dot);
    assert_fits(shape(), &Shape::WideLine(1, 2));
    assert_fits(list(W::U8), &Bytes(vec![0, 255]));
    assert_fits(list(W::U8), &(0, 255));
    assert_fits(list(W::S64), &vec![0_u8, 255]);
    assert_fits(W::Flags(names(&["read-all", "write"])), &["ReadAll"]);
    assert_fits(option(option(W::U8)), &Some(None::<u8>));
    assert_fits(W::Result { ok: None, err: Some(Box::new(W::String)) }, &Ok::<(), &str>(()));
    assert_fits(W::F32, &f64::NAN);
    assert_fits(W::F64, &3);
}

#[test]
fn mismatch_names_path_type_and_value() {
    for (message, found) in [
        (error(list(word()), &[("a", "x", ())]), r#"at [0].times: expected u32, found "x""#),
        (error(W::U8, &256), "expected u8, found 256"),
        (error(W::S8, &-129), "expected s8, found -129"),
        (error(list(W::S8), &vec![1_u8, 200]), "at [1]: expected s8, found 200"),
        (error(W::U32, &1.0), "expected u32, found 1.0"),
        (error(W::F32, &1e300), "expected f32, found 1e300"),
        (error(W::Char, &"ab"), r#"expected char, found "ab""#),
        (error(W::Bool, &0), "expected bool, found 0"),
        (error(W::String, &()), "expected string, found null"),
        (error(option(W::U8), &Some(None::<u8>)), r#"expected u8, found {"$some":null}"#),
        (
            error(shape(), &"square"),
            r#"expected variant { dot, wide-line(tuple<u8, u8>) }, found "square""#,
        ),
        (
            error(shape(), &"wide-line"),
            r#"expected variant { dot, wide-line(tuple<u8, u8>) }, found "wide-line""#,
        ),
        (
            error(shape(), &Shape::WideLine(1, 2).to_longer()),
            "at WideLine: expected tuple<u8, u8>, found [1,2,3]",
        ),
        (
            error(W::Record(vec![("a".into(), W::U8)]), &[("b", 1)].into_iter().collect::<Map>()),
            r#"expected record { a: u8 }, found the unknown field "b""#,
        ),
        (
            error(W::Record(vec![("a".into(), W::U8)]), &Map::new()),
            r#"expected record { a: u8 }, found one without the field "a""#,
        ),
    ] {
        assert_eq!(message, found);
    }
}

type Map = std::collections::BTreeMap<&'static str, u8>;

impl Shape {
    /// Returns a variant with another content.
    fn to_longer(&self) -> std::collections::BTreeMap<&'static str, Vec<u16>> {
        [("WideLine", vec![1, 2, 3])].into()
    }
}

fn typed<T: Serialize>(of: W, text: &str, value: T) -> Result<Vec<u8>, String> {
    typed_as(of, TextArgument { text: text.to_owned(), value: Ok(value) })
}

fn word_typed(of: W, text: &str) -> Result<Vec<u8>, String> {
    let not_json = NotJson { problem: "isn't JSON: at column 1".into(), is_word: true };
    typed_as::<()>(of, TextArgument { text: text.to_owned(), value: Err(not_json) })
}

fn typed_as<T: Serialize>(of: W, argument: TextArgument<T>) -> Result<Vec<u8>, String> {
    let signature = Signature::new(&[("x".into(), of)], None).unwrap();
    let mut arguments = codec::array_head(1);
    argument.append_to(&mut arguments).unwrap();
    match signature.check(&arguments) {
        Ok(plain) => Ok(plain.unwrap()[1..].to_vec()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn texts_of_the_command_line_become_values_of_their_types() {
    let bytes = |value: &dyn Fn() -> Vec<u8>| Ok(value());
    assert_eq!(typed(W::String, "123", 123), bytes(&|| codec::to_vec("123").unwrap()));
    assert_eq!(typed(W::String, "\"a\"", "a"), bytes(&|| codec::to_vec("a").unwrap()));
    assert_eq!(word_typed(option(W::String), "{a"), bytes(&|| codec::to_vec("{a").unwrap()));
    assert_eq!(typed(option(W::String), "null", ()), bytes(&|| codec::to_vec(&()).unwrap()));
    assert_eq!(word_typed(shape(), "dot"), bytes(&|| codec::to_vec("dot").unwrap()));
    assert_eq!(
        typed(W::Enum(names(&["true"])), "true", true),
        bytes(&|| codec::to_vec("true").unwrap())
    );
    assert_eq!(typed(list(W::U8), "[1,2]", [1_u16, 2]), bytes(&|| vec![0xc4, 2, 1, 2]));
    assert_eq!(
        typed(list(W::F64), "[\"inf\"]", ["inf"]),
        bytes(&|| codec::to_vec(&[f64::INFINITY]).unwrap())
    );
    let error = word_typed(W::U32, "ten").unwrap_err();
    assert_eq!(error, r#"argument 1 (x): expected u32, found "ten""#);
}

#[test]
fn rust_types_read_names_in_their_own_spelling() {
    let wit = codec::to_vec(&std::collections::BTreeMap::from([("the-word", "a"), ("note", "b")]));
    let mut wit = wit.unwrap();
    // One more entry: a number.
    wit[0] += 1;
    codec::append(&mut wit, "times").unwrap();
    codec::append(&mut wit, &3).unwrap();
    let word: Word = codec::from_wit(wit.clone()).unwrap();
    assert_eq!(word, Word { the_word: "a".into(), times: 3, note: Some("b".into()) });
    assert!(codec::from_vec::<Word>(wit).is_err());

    let line = codec::to_vec(&std::collections::BTreeMap::from([("wide-line", (1, 2))])).unwrap();
    assert_eq!(codec::from_wit::<Shape>(line).unwrap(), Shape::WideLine(1, 2));
    assert_eq!(codec::from_wit::<Shape>(codec::to_vec("dot").unwrap()).unwrap(), Shape::Dot);
    let error = codec::from_wit::<Shape>(codec::to_vec("box").unwrap()).unwrap_err();
    assert!(error.to_string().contains("box"), "{error}");
}

#[test]
fn malformed_arguments_are_rejected() {
    let signature = Signature::new(&[("x".into(), list(W::U8))], None).unwrap();
    for bytes in
        [&b""[..], &[0x91], &[0x91, 0xdd, 0xff, 0xff, 0xff, 0xff], &[0x91, 0x90, 0x90], &[0xc0]]
    {
        assert!(signature.check(bytes).is_err(), "{bytes:x?}");
    }
}

/// A memory that keeps where written bytes come from.
struct Sources(Vec<*const u8>);

impl GuestMemory for Sources {
    type Error = ();

    fn allocate(&mut self, _: u32, _: u32) -> Result<u32, ()> {
        Ok(0)
    }

    fn write(&mut self, _: u32, bytes: &[u8]) -> Result<(), ()> {
        self.0.push(bytes.as_ptr());
        Ok(())
    }

    fn write_text(&mut self, text: &str) -> Result<(u32, u32), ()> {
        self.0.push(text.as_ptr());
        Ok((0, 0))
    }
}

#[test]
fn bytes_and_text_are_written_from_the_arguments_themselves() {
    let parameters = [("x".into(), list(W::U8)), ("y".into(), W::String)];
    let signature = Signature::new(&parameters, None).unwrap();
    let arguments = codec::to_vec(&(Bytes(vec![7; 1000]), "text")).unwrap();
    let mut sources = Sources(Vec::new());
    signature.lower(&arguments, &mut sources).unwrap();
    let Sources(sources) = sources;
    assert_eq!(sources.len(), 2);
    assert!(sources.iter().all(|source| arguments.as_ptr_range().contains(source)));
}

#[test]
fn deep_type_is_refused() {
    let nested = |levels| (0..levels).fold(W::U8, |of, _| option(of));
    assert!(Signature::new(&[("x".into(), nested(100))], None).is_ok());
    assert!(Signature::new(&[("x".into(), nested(200))], None).is_err());
}
