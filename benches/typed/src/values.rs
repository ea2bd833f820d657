//! The functions, which return their argument or a greeting.

wit_bindgen::generate!({ path: "wit", world: "values" });

use exports::bench::typed::items::{Guest, Item};

struct Values;

impl Guest for Values {
    fn greet(name: String) -> String {
        format!("hello {name}")
    }

    fn echo_items(items: Vec<Item>) -> Vec<Item> {
        items
    }

    fn echo_bytes(bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

export!(Values);
