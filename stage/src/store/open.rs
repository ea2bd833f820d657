use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::prefix::PrefixStore;

use super::memory;
#[cfg(unix)]
use crate::directory::DirectoryStore;
use crate::error::{StageError, StageErrorKind};
use crate::location::Location;
use crate::options::StageOptions;
use crate::ownership::Distrust;
use crate::provider::Provider;

/// The parameters of a bucket to open.
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

/// Opens the store at `location`. `url` is for messages.
pub(crate) fn open(
    url: &str,
    location: &Location,
    options: &StageOptions,
) -> Result<Arc<dyn ObjectStore>, StageError> {
    match location {
        Location::Directory(path) => open_directory(path).map_err(|error| unusable(path, error)),
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

/// Creates the directory at `location`, checks who can change it and marks it as a stage; does nothing for other
/// locations.
pub(crate) fn create_directory(
    location: &Location,
    options: &StageOptions,
) -> Result<(), StageError> {
    let Location::Directory(path) = location else { return Ok(()) };
    create_private(path).map_err(|error| unusable(path, error))?;
    if !options.is_shared() {
        let metadata = std::fs::metadata(path).map_err(|error| unusable(path, error))?;
        if let Some(distrust) = Distrust::of(&metadata) {
            return Err(distrusted(path, distrust));
        }
    }
    #[cfg(unix)]
    crate::directory::mark(path).map_err(|error| unusable(path, error))?;
    Ok(())
}

/// Creates a directory and those above it for their owner only, where the system has such rights.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

fn distrusted(path: &Path, distrust: Distrust) -> StageError {
    let path = path.display();
    let message =
        format!("the stage {path} {distrust}, who could read what is staged and change runs");
    let fix = match distrust {
        Distrust::OtherOwner(_) => {
            format!("name a directory of your own, or run `chown $USER {path}`")
        }
        _ => format!("run `chmod go-w {path}`"),
    };
    StageError::new(StageErrorKind::Location, message).hint(format!(
        "{fix}; if all of its users trust each other, declare it as shared: HYPE_STAGE_SHARED=1, or \
         StageOptions::with_sharing"
    ))
}

#[cfg(unix)]
fn open_directory(path: &Path) -> std::io::Result<Arc<dyn ObjectStore>> {
    Ok(Arc::new(DirectoryStore::open(path.to_owned())?))
}

#[cfg(not(unix))]
fn open_directory(path: &Path) -> object_store::Result<Arc<dyn ObjectStore>> {
    let store = object_store::local::LocalFileSystem::new_with_prefix(path)?;
    Ok(Arc::new(store.with_automatic_cleanup(true)))
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
        "in the program's Cargo.toml write hype = {{ features = [\"{feature}\"], .. }}; for cargo hype: cargo install \
         cargo-hype --features full; for a runner use the image spotify/hype, which has all features, or cargo install hype-run --features {feature}"
    )))
}

fn unusable(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StageError {
    let path: PathBuf = path.to_owned();
    let message = format!("cannot use the directory {} as a stage", path.display());
    StageError::new(StageErrorKind::Location, message).because(error)
}
