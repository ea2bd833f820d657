//! The object store that a submitter and its runners share.
//!
//! Both sides open a [`Stage`] by its URL; nothing else passes between them but a manifest's URL
//! and the digests that vouch for what is read. What the objects mean is told in
//! [`hype_wire::names`]; here they are bytes.
//!
//! - [`Stage`]: blobs put once and read verified; objects of a run created, read and removed.
//! - [`Stage::collect`]: the removal of what nobody needs any more.
//! - [`StageError`]: what went wrong with which object.

mod error;
mod gc;
mod location;
mod stage;

pub use error::{StageError, StageErrorKind};
pub use gc::{Collected, LEAST_AGE, REFRESH_AFTER, Removal};
pub use stage::{Created, Stage, Staged};
