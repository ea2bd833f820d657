//! A cache of blobs on a disk of this machine, so that only the first run fetches them.
//!
//! The directory is not trusted, since an attacker may be able to write to it. Each read hashes the bytes
//! that it returns; a file with another digest is a cache miss. Only verified blobs of the stage are
//! written, never machine code that a runner compiled. An error of the cache never fails a run, since the
//! stage has the blobs.

mod directory;
mod eviction;
mod shared;
#[cfg(test)]
mod tests;

pub use shared::Cache;
