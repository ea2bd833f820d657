//! Blobs on a disk of this machine, so that only the first run there fetches them.
//!
//! The directory is trusted with nothing: whoever can write to it may have put anything anywhere.
//! What is read is hashed over the very bytes that are then used, and what isn't the blob that it
//! should be counts as absent. Only what was verified is written, and what a runner made itself
//! never is. Nor may a cache be in the way: whatever goes wrong with it, the stage has the blobs.

mod directory;
mod room;
mod shared;
#[cfg(test)]
mod tests;

pub use shared::Cache;
