//! Missing serde traits are reported at the type of the parameter.

use serde::{Deserialize, Serialize};

struct Plain;

#[derive(Serialize)]
struct OneWay;

#[derive(Serialize, Deserialize)]
struct Both;

#[hype::function]
fn takes(_both: Both, _plain: Plain, _one_way: Vec<OneWay>) {}

fn main() {}
