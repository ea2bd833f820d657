//! Functions that return their argument, of types without a native JSON form.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A structure of such types, alone and in lists.
#[derive(Debug, Serialize, Deserialize)]
pub struct Booking {
    pub id: Uuid,
    pub server: SocketAddr,
    pub guests: Vec<IpAddr>,
    pub day: Date,
    pub serial: u128,
    pub balance: i128,
    pub note: Option<String>,
    pub discount: Option<Option<u8>>,
}

/// Maps whose keys aren't strings.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyed {
    pub numbers: BTreeMap<u32, String>,
    pub flags: BTreeMap<bool, u8>,
    pub places: BTreeMap<(i32, i32), String>,
    pub cards: BTreeMap<Card, u8>,
}

/// An enum with and without content.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Card {
    Joker,
    Number(u8),
}

/// An internally tagged enum: serde buffers the fields until it knows the variant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    Login { from: IpAddr },
    Counted { by_port: BTreeMap<u16, f64>, by_place: BTreeMap<(u8, u8), u8> },
}

#[hype::function]
pub fn echo_booking(booking: Booking) -> Booking {
    booking
}

#[hype::function]
pub fn echo_keyed(keyed: Keyed) -> Keyed {
    keyed
}

#[hype::function]
pub fn echo_event(event: Event) -> Event {
    event
}

#[hype::function]
pub fn next_serial(number: u128) -> u128 {
    number + 1
}

#[hype::function]
pub fn echo_card(card: Card) -> Card {
    card
}

#[hype::function]
pub fn echo_floats(values: Vec<f64>) -> Vec<f64> {
    values
}

/// Returns how each parameter was parsed.
#[hype::function]
pub fn tell_apart(
    text: String,
    maybe: Option<String>,
    id: Uuid,
    from: IpAddr,
    day: Date,
) -> String {
    format!("{text:?} {maybe:?} {id} {from} {day}")
}

/// A record of scalars, as a row of a table is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sale {
    pub item: String,
    pub note: Option<String>,
    pub count: u32,
}

#[hype::function]
pub fn echo_sale(sale: Sale) -> Sale {
    sale
}
