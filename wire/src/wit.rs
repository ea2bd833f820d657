//! The conversion between MessagePack and the values of WIT functions.
//!
//! `docs/wit.md` has the table of types. This module implements it together with the canonical ABI,
//! the layout of values in a guest's memory, without an intermediate representation: arguments are
//! written from MessagePack into the guest's memory, and values are read from there.

mod budget;
mod flat;
mod function;
mod layout;
mod lift;
mod lower;
mod memory;
mod plain_bytes;
mod render;
mod signature;

pub use budget::TypeBudget;
pub use function::WitFunction;
pub use lift::{LiftError, Returned};
pub use lower::LowerError;
pub use memory::{COPIED_AT_ONCE, GuestMemory, ReturnedMemory, TextEncoding};
pub use plain_bytes::{MAX_BYTES_HEAD, head_of_bytes, position_of_bytes};
pub use render::render;
pub use signature::Signature;
