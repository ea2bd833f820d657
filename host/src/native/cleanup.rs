//! Cleanup of everything that runs and submitters create outside this process.

pub(crate) mod background;
pub(crate) mod list;
pub(crate) mod pending;
pub(crate) mod remaining;
