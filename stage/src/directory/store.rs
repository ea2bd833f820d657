//! An object store in a directory.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use tokio::sync::mpsc;

use super::folder::modified;
use super::root::MARKER;
use super::tree::{Found, Tree, is_component, is_temporary};
use super::upload::DirectoryUpload;
use crate::blocking::{blocking, spawn_io};

/// The name of this store in errors.
const STORE: &str = "directory";

/// The maximum number of objects that a listing returns together.
const BATCH: usize = 1024;

/// Objects as files below a directory: private to their owner, written whole or not at all, and never reached through a
/// symbolic link.
#[derive(Debug, Clone)]
pub(crate) struct DirectoryStore {
    tree: Arc<Tree>,
    path: Arc<PathBuf>,
}

impl DirectoryStore {
    /// Opens the store in the directory at `path`.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        Ok(Self { tree: Arc::new(Tree::open(&path)?), path: Arc::new(path) })
    }

    /// Runs `work` with the tree and the components of `location`, on a thread that may block.
    async fn at<T: Send + 'static>(
        &self,
        location: &Path,
        work: impl FnOnce(&Tree, &[&str]) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (tree, location) = (Arc::clone(&self.tree), location.clone());
        blocking(move || {
            let parts = components(&location)?;
            work(&tree, &parts).map_err(|error| failed(&location, error))
        })
        .await
    }
}

#[async_trait::async_trait]
impl ObjectStore for DirectoryStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let creates = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return Err(not_implemented("conditional updates")),
        };
        self.at(location, move |tree, parts| {
            let mut new = tree.create(parts)?;
            payload.iter().try_for_each(|piece| new.file.write_all(piece))?;
            if creates { new.publish_new() } else { new.replace() }
        })
        .await?;
        Ok(put_result())
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let file = self.at(location, Tree::create).await?;
        Ok(Box::new(DirectoryUpload::new(file, location.clone())))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let file = self.at(location, Tree::read).await?;
        let metadata = file.metadata().map_err(|error| failed(location, error))?;
        let modified = metadata.modified().map_err(|error| failed(location, error))?;
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: modified.into(),
            size: metadata.len(),
            e_tag: None,
            version: None,
        };
        options.check_preconditions(&meta)?;
        let range = match options.range {
            Some(range) => range
                .as_range(meta.size)
                .map_err(|error| Error::Generic { store: STORE, source: error.into() })?,
            None => 0..meta.size,
        };
        let payload = GetResultPayload::File(file, self.path.join(location.as_ref()));
        let attributes = Attributes::default();
        Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                store.at(&location, remove).await?;
                Ok(location)
            }
        };
        locations.map(delete).buffered(10).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned().unwrap_or_default();
        let (send, receive) = mpsc::channel(2);
        let tree = Arc::clone(&self.tree);
        let walk = move || {
            let mut batch = Vec::with_capacity(BATCH);
            let mut found = |found: Found| {
                batch.extend(object(found).map(Ok));
                batch.len() < BATCH || send.blocking_send(std::mem::take(&mut batch)).is_ok()
            };
            let parts = match components(&prefix) {
                Ok(parts) => parts,
                // The whole tree.
                Err(_) if prefix.as_ref().is_empty() => Vec::new(),
                Err(error) => return drop(send.blocking_send(vec![Err(error)])),
            };
            let listed = tree.list(&parts, &mut found);
            batch.extend(listed.err().map(|error| Err(failed(&prefix, error))));
            // An error says that the listing was dropped.
            let _ = send.blocking_send(batch);
        };
        drop(spawn_io(walk));
        let batches =
            stream::unfold(receive, async |mut receive| Some((receive.recv().await?, receive)));
        batches.flat_map(stream::iter).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(not_implemented("listings with a delimiter"))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let creates = matches!(options.mode, CopyMode::Create);
        let mut source = self.at(from, Tree::read).await?;
        self.at(to, move |tree, parts| {
            let mut new = tree.create(parts)?;
            io::copy(&mut source, &mut new.file)?;
            if creates { new.publish_new() } else { new.replace() }
        })
        .await
    }
}

impl fmt::Display for DirectoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DirectoryStore({})", self.path.display())
    }
}

/// Removes a file of a directory that is marked as a stage.
fn remove(tree: &Tree, parts: &[&str]) -> io::Result<()> {
    if !tree.has(MARKER) {
        let problem =
            format!("the directory is not marked as a stage of hype: the file {MARKER} is missing");
        return Err(io::Error::new(ErrorKind::PermissionDenied, problem));
    }
    tree.remove(parts)
}

/// Returns the result of a write. Files have no entity tags.
pub(super) fn put_result() -> PutResult {
    PutResult { e_tag: None, version: None, extensions: Default::default() }
}

/// Returns the store's error for an error of the file system.
pub(super) fn failed(location: &Path, error: io::Error) -> Error {
    let kind = error.kind();
    let (path, source) = (location.to_string(), error.into());
    match kind {
        ErrorKind::NotFound => Error::NotFound { path, source },
        ErrorKind::AlreadyExists => Error::AlreadyExists { path, source },
        ErrorKind::PermissionDenied => Error::PermissionDenied { path, source },
        _ => Error::Generic { store: STORE, source },
    }
}

fn not_implemented(operation: &str) -> Error {
    let (operation, implementer) = (operation.to_owned(), STORE.to_owned());
    Error::NotImplemented { operation, implementer }
}

/// Returns the components of an object's path, each of them the name of a file or directory.
fn components(location: &Path) -> Result<Vec<&str>> {
    let parts: Vec<_> = location.as_ref().split('/').collect();
    let is_valid = parts.iter().all(|part| is_component(part));
    if is_valid && !parts.last().is_some_and(|name| is_temporary(name)) {
        return Ok(parts);
    }
    Err(Error::Generic { store: STORE, source: format!("`{location}` is no object's name").into() })
}

/// Returns the object that a file is, unless it is still being written.
fn object(found: Found) -> Option<ObjectMeta> {
    let Found { parts, stat } = found;
    let name = parts.last().filter(|name| !is_temporary(name))?;
    debug_assert!(is_component(name));
    Some(ObjectMeta {
        location: Path::parse(parts.join("/")).ok()?,
        last_modified: modified(&stat).into(),
        size: u64::try_from(stat.st_size).ok()?,
        e_tag: None,
        version: None,
    })
}
