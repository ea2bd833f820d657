//! The stores behind the URLs, each opened with its provider's usual variables.

#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "cloud")]
pub(crate) mod client;
#[cfg(feature = "cloud")]
mod credentials;
#[cfg(feature = "gcs")]
mod gcs;
#[cfg(feature = "gcs")]
mod google_account;
#[cfg(feature = "gcs")]
mod google_credentials;
mod memory;
#[cfg(feature = "cloud")]
mod observed;
mod open;
#[cfg(feature = "aws")]
mod s3;

#[cfg(feature = "gcs")]
pub(crate) use gcs::provider;
#[cfg(feature = "gcs")]
pub(crate) use google_account::GoogleAccount;
#[cfg(feature = "gcs")]
pub(crate) use google_credentials::GoogleCredentials;
pub(crate) use open::{make, open};
