use std::collections::BTreeMap;

use hype_wire::Bytes;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) item: String,
    pub(crate) count: u32,
    pub(crate) price: f64,
    pub(crate) tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    #[serde(default)]
    pub(crate) extra: BTreeMap<String, i64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Shape {
    Point,
    Circle(f64),
    Line(f32, f32),
    Polygon { corners: Vec<(i16, i16)>, name: Option<char> },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Nested(pub(crate) Vec<Nested>);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Expression {
    Nothing,
    Number(i64),
    Not(Box<Expression>),
    Both(Box<Expression>, Box<Expression>),
    Let { name: String, value: Box<Expression> },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Chain {
    pub(crate) link: u8,
    pub(crate) next: Option<Box<Chain>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Message {
    Ping,
    Text { text: String },
    Image { pixels: Vec<u8>, icon: Bytes },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
pub(crate) enum Adjacent {
    Empty,
    One(Bytes),
    Two(String, u8),
}

/// A JSON value.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Anything {
    Nothing(()),
    Truth(bool),
    Small(u8),
    Number(i64),
    Fraction(f64),
    Text(String),
    List(Vec<Anything>),
    Map(BTreeMap<String, Anything>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) id: u16,
    #[serde(flatten)]
    pub(crate) rest: BTreeMap<String, Anything>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Flat {
    pub(crate) id: u16,
    #[serde(flatten)]
    pub(crate) order: Option<Order>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Unit;
