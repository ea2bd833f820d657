//! The stores behind the URLs.

mod memory;
mod open;

pub(crate) use open::{Bucket, make, open};
