//! Values of all kinds, as arguments and results.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Greets.
#[hype::function]
pub fn greet(name: String) -> String {
    format!("hello {name}")
}

/// Takes nothing and returns nothing.
#[hype::function]
pub fn nothing() {}

/// Sums the maximum number of parameters.
#[hype::function]
#[expect(clippy::too_many_arguments, reason = "the maximum is what it tests")]
pub fn sum(
    a: u8,
    b: i8,
    c: u16,
    d: i16,
    e: u32,
    f: i32,
    g: u64,
    h: i64,
    i: u128,
    j: i128,
    k: f32,
    l: f64,
) -> f64 {
    let whole = i128::from(a)
        + i128::from(b)
        + i128::from(c)
        + i128::from(d)
        + i128::from(e)
        + i128::from(f)
        + i128::from(g)
        + i128::from(h)
        + i as i128
        + j;
    whole as f64 + f64::from(k) + l
}

/// A field of every kind that serde knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Everything {
    pub flag: bool,
    pub letter: char,
    pub text: String,
    pub bytes: hype::Bytes,
    pub list_of_bytes: Vec<u8>,
    pub array: [u8; 4],
    pub pair: (u8, String),
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub skipped: Option<u8>,
    pub some: Option<Option<u8>>,
    pub unit: (),
    pub shapes: Vec<Shape>,
    pub by_name: BTreeMap<String, i64>,
    pub by_number: HashMap<u32, f32>,
    pub largest: u64,
    pub smallest: i64,
}

/// An enum with every kind of variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    Point,
    Circle(f64),
    Line((i32, i32), (i32, i32)),
    Box { width: u32, height: u32 },
}

/// Returns its argument.
#[hype::function]
pub fn echo(everything: Everything) -> Everything {
    everything
}

/// Types that serde buffers while it determines the variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Buffered {
    pub id: u8,
    pub host: Host,
    pub events: Vec<Event>,
    pub levels: Vec<Option<Option<()>>>,
    #[serde(flatten)]
    pub rest: Option<Origin>,
}

/// An address, a name or a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Host {
    Ip(IpAddr),
    Name(String),
    Key(hype::Bytes),
}

/// An internally tagged event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    Joined { from: SocketAddr, after: Duration },
    Sent { data: Vec<u8>, seal: hype::Bytes },
}

/// The address of a sender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    pub origin: IpAddr,
}

/// Returns its argument.
#[hype::function]
pub fn echo_buffered(buffered: Buffered) -> Buffered {
    buffered
}

/// A number of any size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Number {
    Big(u128),
    Float(f64),
    Text(String),
}

/// Returns a list with a number of 128 bits, which serde's buffer can't hold.
#[hype::function]
pub fn large_number(number: u64) -> Vec<Number> {
    vec![Number::Float(0.5), Number::Big(number.into())]
}

/// Returns the debug form of a number.
#[hype::function]
pub fn describe(number: Number) -> String {
    format!("{number:?}")
}

/// Returns the bytes in reverse order.
#[hype::function]
pub fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

/// Returns the pieces in reverse order.
#[hype::function]
pub fn reverse_pieces(mut pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    pieces.reverse();
    pieces
}

/// Returns a text of `length` bytes.
#[hype::function]
pub fn text_of(length: usize) -> String {
    "x".repeat(length)
}

/// Calls a function of a dependency and one of this package.
#[hype::function]
pub fn compose(name: String) -> String {
    test_library::twice::call(greet::call(name))
}

/// Calls itself.
#[hype::function]
pub fn factorial(n: u64) -> u64 {
    if n < 2 { 1 } else { n * factorial::call(n - 1) }
}

/// Has the same name as a function of another crate.
#[hype::function]
pub fn name_of_crate() -> String {
    format!("guests, not {}", test_library::name_of_crate::call())
}

/// A nested list.
#[derive(Debug, Serialize, Deserialize)]
pub struct Nested(pub Vec<Nested>);

/// Returns a list nested `depth` levels deep.
#[hype::function]
pub fn nested(depth: u32) -> Nested {
    (0..depth).fold(Nested(Vec::new()), |inner, _| Nested(vec![inner]))
}
