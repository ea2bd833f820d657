//! The stage: the object store shared by a submitter and its runners.
//!
//! Both sides open a [`Stage`] by its URL. Only a manifest's URL and two digests, which verify the objects,
//! pass outside of the stage. This crate treats objects as bytes; [`hype_wire::names`] lists their names and
//! meanings.
//!
//! - [`Stage`]: stores blobs and verifies them when they are read; creates, reads and removes the objects of
//!   a run.
//! - [`Source`]: the bytes of a blob, in memory or in a file.
//! - [`Stage::collect`]: the garbage collection of old runs and unused blobs.
//! - [`Provider`]: the schemes, the feature and the variables of a storage provider.
//! - [`StageOptions`]: variables and retry time, to override the process's environment.
//! - `GoogleTokens`, with the feature `gcs`: access tokens for Google's other services.
//! - [`LeakedInForks`]: values that a fork of their process doesn't drop.
//! - [`PerProcess`]: static values that a fork of a process doesn't share with it.
//! - [`Outage`]: warnings about a server that doesn't respond.
//! - [`StageError`]: the error of a stage, with the object's URL and a hint.
//!
//! ```
//! use hype_stage::{Source, Stage, Staged};
//! use hype_wire::Blob;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = tempfile::tempdir()?;
//! let stage = Stage::in_directory(directory.path())?;
//!
//! let blob = Blob::of(b"component");
//! let source = Source::bytes("component");
//! assert_eq!(stage.put_blob(&blob, &source).await?, Staged::New);
//! assert_eq!(stage.put_blob(&blob, &source).await?, Staged::Cached);
//! assert_eq!(stage.get_blob(&blob).await?, "component");
//! # Ok(())
//! # }
//! ```
//!
//! | URL | store | feature |
//! |---|---|---|
//! | `file:///absolute/path` | a directory | |
//! | `memory://NAME/PREFIX` | this process, for tests | |
//! | `gs://BUCKET/PREFIX` | Google Cloud Storage | `gcs` |
//! | `s3://BUCKET/PREFIX` | Amazon S3 and compatible stores | `aws` |
//! | `az://CONTAINER/PREFIX`, `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX` | Azure Blob Storage | `azure` |

mod blobs;
mod blocking;
#[cfg(unix)]
mod directory;
mod error;
mod gc;
#[cfg(feature = "gcs")]
mod google;
mod leaked_in_forks;
mod location;
mod objects;
mod options;
mod outage;
mod ownership;
mod parallel;
mod per_process;
mod probe;
mod provider;
mod providers;
mod removal;
mod runs;
mod stage;
mod store;
mod store_error;
mod transfer;
mod view;

pub use blobs::Staged;
pub use blocking::spawn_io;
pub use error::{StageError, StageErrorKind};
pub use gc::{CollectMode, CollectReport, MIN_COLLECT_AGE, REFRESH_AFTER};
#[cfg(feature = "gcs")]
pub use google::GoogleTokens;
pub use leaked_in_forks::LeakedInForks;
pub use objects::Created;
pub use options::StageOptions;
pub use outage::Outage;
pub use ownership::Distrust;
pub use parallel::on_all_cores;
pub use per_process::PerProcess;
pub use provider::Provider;
pub use stage::Stage;
pub use transfer::{CopyError, Source, hashed_copy};
pub use view::StageView;
