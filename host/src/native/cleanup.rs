//! Cleanup: what a run or a submitter makes outside this process, and how it is removed again.

pub(crate) mod background;
pub(crate) mod owned;
pub(crate) mod pending;
pub(crate) mod remaining;
