//! Every value decodes to an equal value, or is rejected by the encoder.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changed;
mod dynamic;
mod examples;
mod foreign;
mod generate;
mod numbers;
mod positions;
mod rejected;

use std::collections::BTreeMap;

use crate::dynamic::{Dynamic, Type, set_current};
use crate::generate::{Random, SIMPLE, constructed};
use crate::positions::{Outcome, POSITIONS};

/// The number of values of each type.
const VALUES: usize = 6;

/// The number of random types, in addition to all types of one and two levels.
const TYPES: usize = 300;

fn types() -> Vec<Type> {
    let mut random = Random(1);
    let mut types: Vec<_> = SIMPLE.into();
    for simple in SIMPLE {
        let other = random.type_(0);
        types.extend(constructed(simple, other));
    }
    types.push(Type::Option(Box::new(Type::Option(Box::new(Type::Option(Box::new(Type::Unit)))))));
    types.extend((0..TYPES).map(|number| random.type_(2 + number % 3)));
    types
}

/// Returns whether serde itself can't encode or decode a type in this position.
fn is_unsupported_by_serde(position: &str, type_: &Type) -> bool {
    let is_buffered = ["tagged", "flattened"].iter().any(|word| position.contains(word));
    let has_128_bits = format!("{type_:?}").contains("128");
    is_buffered && (has_128_bits || position.ends_with("itself"))
}

#[test]
fn every_value_round_trips_in_every_position() {
    let mut random = Random(2);
    let mut wrong = BTreeMap::new();
    let mut equal = BTreeMap::new();
    for type_ in types() {
        set_current(&type_);
        for _ in 0..VALUES {
            let it = Dynamic { value: random.value(&type_), type_: type_.clone() };
            for (position, round_trip) in POSITIONS {
                let (hype, json) = round_trip(&it);
                match hype {
                    Outcome::Equal => *equal.entry(*position).or_insert(0) += 1,
                    Outcome::Rejected
                        if json != Outcome::Equal && is_unsupported_by_serde(position, &type_) => {}
                    _ => _ = wrong.entry((*position, hype, json)).or_insert(it.clone()),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(POSITIONS.iter().all(|(position, _)| equal[position] > 100), "{equal:?}");
}
