//! Opens the object store that a stage's URL names.

mod memory;
mod open;

pub(crate) use open::{Bucket, create_directory, open};
