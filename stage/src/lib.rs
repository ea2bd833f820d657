//! The object store that a submitter and its runners share.
//!
//! Both sides open a [`Stage`] by its URL; nothing else passes between them but a manifest's URL
//! and the digests that vouch for what is read. What the objects mean is told in
//! [`hype_wire::names`]; here they are bytes.
//!
//! - [`Stage`]: blobs put once and read verified; objects of a run created, read and removed.
//! - [`Source`]: where the bytes of a blob come from, in memory or on disk.
//! - [`Stage::collect`]: the removal of what nobody needs any more.
//! - [`Provider`]: what is known of a storage provider: schemes, feature, variables.
//! - [`StageOptions`]: what a stage is opened with, where that isn't this process's environment.
//! - `GoogleTokens`, with the feature `gcs`: who we are for Google's other services.
//! - [`Outage`]: what a person is told of a server that gives no answers.
//! - [`StageError`]: what went wrong with which object, and what to do about it.
//!
//! | URL | store | feature |
//! |---|---|---|
//! | `file:///absolute/path` | a directory | |
//! | `memory://NAME/PREFIX` | this process, for tests | |
//! | `gs://BUCKET/PREFIX` | Google Cloud Storage | `gcs` |
//! | `s3://BUCKET/PREFIX` | Amazon S3, and what speaks its protocol | `aws` |
//! | `az://CONTAINER/PREFIX`, `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX` | Azure Blob Storage | `azure` |

mod error;
mod gc;
#[cfg(feature = "gcs")]
mod google;
mod location;
mod options;
mod outage;
mod provider;
mod providers;
mod refusal;
mod removal;
mod stage;
mod store;
mod transfer;

pub use error::{StageError, StageErrorKind};
pub use gc::{Collected, LEAST_AGE, REFRESH_AFTER, Removal};
#[cfg(feature = "gcs")]
pub use google::GoogleTokens;
pub use options::StageOptions;
pub use outage::Outage;
pub use provider::Provider;
pub use stage::{Created, Stage, Staged};
pub use transfer::{Source, hashed_copy};
