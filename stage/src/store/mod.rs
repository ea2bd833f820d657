//! The stores behind the URLs, each opened with its provider's usual variables.

#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "cloud")]
mod client;
#[cfg(feature = "cloud")]
mod credentials;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "gcs")]
mod google_credentials;
mod memory;
mod open;
#[cfg(feature = "aws")]
mod s3;

pub(crate) use open::{make, open};
