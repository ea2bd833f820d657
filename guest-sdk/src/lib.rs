//! The half of hype that is compiled into a component: functions that can run elsewhere.
//!
//! Users depend on `hype`, which re-exports this crate on every target; there is no reason to
//! name it. On WebAssembly it is the whole of `hype`: [`function`] registers a function and
//! describes it, and `run` answers the one call by which a runner reaches all of them.
//!
//! - `bounds`: what the types of a function must be able to do.
//! - `arguments`: arguments to MessagePack natively, and back in the guest.
//! - [`http`]: requests to hosts that the environment grants.
//! - `logger`: what a function logs, to its standard error.
//! - [`process`]: commands that the environment grants.
//! - `run`: from a call to a function and its value; panics reported.

mod arguments;
mod bounds;
pub mod http;
#[cfg(all(feature = "log", any(test, target_family = "wasm")))]
mod logger;
pub mod process;
#[cfg(target_family = "wasm")]
mod run;

pub use hype_guest_macro::{embed, function, main};
pub use hype_wire::Bytes;

/// What the expansion of [`function`] names. It changes with the macro, and without notice.
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
