//! The part of hype that is compiled into a component.
//!
//! Users depend on `hype`, which re-exports this crate on every target. On WebAssembly it is the whole of `hype`:
//! [`function`] registers a function and describes it, and `run` exports the one call by which a runner calls all
//! functions.
//!
//! - `bounds`: traits that the types in a function's signature must implement.
//! - `arguments`: encodes arguments natively, and decodes them in the guest.
//! - `comparison`: compares bytes, faster than the C library.
//! - `heap`: grows the memory in large steps.
//! - [`http`]: sends HTTP requests to hosts that the environment grants.
//! - `logger`: writes `log` records to standard error.
//! - [`process`]: runs commands that the environment grants.
//! - `run`: calls a function by its name, returns its value, and reports panics.

mod arguments;
mod bounds;
#[cfg(any(test, all(target_family = "wasm", not(hype_c_library))))]
mod comparison;
#[cfg(any(test, all(target_family = "wasm", not(hype_c_library))))]
mod heap;
pub mod http;
#[cfg(all(feature = "log", any(test, target_family = "wasm")))]
mod logger;
pub mod process;
#[cfg(target_family = "wasm")]
mod run;

pub use hype_guest_macro::{component, embed, function, main};
pub use hype_wire::Bytes;

/// Items for the expansion of [`function`], without any guarantee of stability.
#[doc(hidden)]
pub mod __internal {
    pub use crate::arguments::Arguments;
    #[cfg(not(target_family = "wasm"))]
    pub use crate::arguments::BoundArguments;
    pub use crate::bounds::{Argument, Fallible, FunctionError, Value};
    #[cfg(target_family = "wasm")]
    pub use crate::run::{Entry, fallible, value};
    pub use hype_wire::section::{FunctionRecord, ParameterRecord, encode, encoded_len};
    #[cfg(target_family = "wasm")]
    pub use {hype_wire::Failure, inventory};
}
