//! Functions with WIT types, with the bodies of closures in `../closures`.

#![cfg(target_family = "wasm")]

mod values;
