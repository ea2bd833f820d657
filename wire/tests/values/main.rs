//! Values come back as they were, or are refused where they are written.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changed;
mod dynamic;
mod examples;
mod foreign;
mod generate;
mod numbers;
mod positions;
mod refused;

use std::collections::BTreeMap;

use crate::dynamic::{Dynamic, Type, set_current};
use crate::generate::{Random, SIMPLE, constructed};
use crate::positions::{POSITIONS, Seen};

/// How many values of each type are tried.
const VALUES: usize = 6;

/// How many random types are tried beside those of one and two levels.
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

/// Whether serde itself has no way to read or write this in this place.
fn is_refused_by_serde(place: &str, type_: &Type) -> bool {
    let is_buffered = ["tagged", "flattened"].iter().any(|word| place.contains(word));
    let has_128_bits = format!("{type_:?}").contains("128");
    is_buffered && (has_128_bits || place.ends_with("itself"))
}

#[test]
fn every_value_in_every_place_comes_back_or_is_refused() {
    let mut random = Random(2);
    let mut wrong = BTreeMap::new();
    let mut equal = BTreeMap::new();
    for type_ in types() {
        set_current(&type_);
        for _ in 0..VALUES {
            let it = Dynamic { value: random.value(&type_), type_: type_.clone() };
            for (place, check) in POSITIONS {
                let (ours, json) = check(&it);
                match ours {
                    Seen::Equal => *equal.entry(*place).or_insert(0) += 1,
                    Seen::Refused if json != Seen::Equal && is_refused_by_serde(place, &type_) => {}
                    _ => _ = wrong.entry((*place, ours, json)).or_insert(it.clone()),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(POSITIONS.iter().all(|(place, _)| equal[place] > 100), "{equal:?}");
}
