use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;

use super::memory;
use crate::error::{StageError, StageErrorKind};
use crate::location::Location;
use crate::options::StageOptions;
use crate::provider::Provider;

/// A bucket that is to be opened.
#[derive(Debug)]
#[cfg_attr(not(feature = "cloud"), expect(dead_code, reason = "there is nothing to open it with"))]
pub(crate) struct Bucket<'a> {
    /// The stage's URL, for messages.
    pub(crate) url: &'a str,
    pub(crate) name: &'a str,
    #[cfg_attr(not(feature = "azure"), expect(dead_code, reason = "only Azure's URLs name one"))]
    pub(crate) account: Option<&'a str>,
    pub(crate) options: &'a StageOptions,
}

/// The store at `location`, which `url` names; its objects lie below that URL.
pub(crate) fn open(
    url: &str,
    location: &Location,
    options: &StageOptions,
) -> Result<Arc<dyn ObjectStore>, StageError> {
    match location {
        Location::Directory(path) => {
            let store = LocalFileSystem::new_with_prefix(path)
                .map_err(|error| unusable(path, error))?
                .with_automatic_cleanup(true);
            Ok(Arc::new(store))
        }
        Location::Memory { name, prefix } => {
            Ok(Arc::new(PrefixStore::new(memory::open(name), prefix.clone())))
        }
        Location::Bucket { provider, bucket, account, prefix } => {
            let bucket = Bucket { url, name: bucket, account: account.as_deref(), options };
            let store = open_bucket(provider, &bucket)?;
            Ok(Arc::new(PrefixStore::new(store, prefix.clone())))
        }
    }
}

/// Makes the place at `location`, where that is a directory.
pub(crate) fn make(location: &Location) -> Result<(), StageError> {
    match location {
        Location::Directory(path) => {
            std::fs::create_dir_all(path).map_err(|error| unusable(path, error))
        }
        _ => Ok(()),
    }
}

fn open_bucket(
    provider: &Provider,
    bucket: &Bucket<'_>,
) -> Result<Arc<dyn ObjectStore>, StageError> {
    if let Some(open) = provider.open {
        return open(bucket);
    }
    let feature = provider.feature;
    let message = format!("{} needs the feature `{feature}`, which isn't built in", bucket.url);
    Err(StageError::new(StageErrorKind::Location, message).hint(format!(
        "in the program's Cargo.toml write hype = {{ features = [\"{feature}\"], .. }}; a runner is \
         best the image spotify/hype, which has all, or cargo install hype-run --features {feature}"
    )))
}

fn unusable(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StageError {
    let path: PathBuf = path.to_owned();
    let message = format!("cannot use the directory {} as a stage", path.display());
    StageError::new(StageErrorKind::Location, message).because(error)
}
