//! The in-memory store: buckets, generations of objects, and open multipart uploads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::HeaderMap;

use crate::condition;
use crate::content::Content;
use crate::listing::{self, Page, Query};
use crate::object::{Attributes, Object};
use crate::problem::Problem;
use crate::upload::Upload;

/// The maximum size of an object's name, in bytes.
const MAX_NAME: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Store {
    buckets: BTreeMap<String, Bucket>,
    generation: u64,
}

/// The versioning of a bucket: whether it keeps overwritten and deleted objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versioning {
    Off,
    On,
}

#[derive(Debug)]
struct Bucket {
    versioning: Versioning,
    live: BTreeMap<String, Arc<Object>>,
    archived: BTreeMap<(String, u64), Arc<Object>>,
    uploads: BTreeMap<String, Upload>,
}

impl Store {
    pub(crate) fn add_bucket(&mut self, name: &str, versioning: Versioning) {
        let (live, archived, uploads) = Default::default();
        self.buckets.insert(name.to_owned(), Bucket { versioning, live, archived, uploads });
    }

    pub(crate) fn has_bucket(&self, name: &str) -> bool {
        self.buckets.contains_key(name)
    }

    /// Returns the object `name`, of the newest or of the given generation.
    pub(crate) fn get(
        &self,
        bucket: &str,
        name: &str,
        generation: Option<u64>,
    ) -> Result<Arc<Object>, Problem> {
        let bucket = self.bucket(bucket)?;
        let live = bucket.live.get(name);
        let found = match generation {
            None => live,
            Some(generation) => live
                .filter(|object| object.generation == generation)
                .or_else(|| bucket.archived.get(&(name.to_owned(), generation))),
        };
        found.cloned().ok_or(Problem::NoSuchKey)
    }

    /// Writes the object `name` if the preconditions in `headers` hold.
    pub(crate) fn put(
        &mut self,
        bucket: &str,
        name: &str,
        headers: &HeaderMap,
        content: Content,
        attributes: Attributes,
    ) -> Result<Arc<Object>, Problem> {
        if name.len() > MAX_NAME || name.contains(['\r', '\n']) {
            return Err(Problem::InvalidArgument("Invalid object name.".to_owned()));
        }
        let generation = self.next_generation();
        let bucket = self.bucket_mut(bucket)?;
        condition::generation(headers, bucket.live.get(name).map(Arc::as_ref))?;
        let modified = SystemTime::now();
        let object = Arc::new(Object { content, attributes, generation, modified });
        let old = bucket.live.insert(name.to_owned(), Arc::clone(&object));
        bucket.archive(name, old);
        Ok(object)
    }

    /// Removes the object `name` if the preconditions in `headers` hold.
    pub(crate) fn delete(
        &mut self,
        bucket: &str,
        name: &str,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        let bucket = self.bucket_mut(bucket)?;
        condition::generation(headers, bucket.live.get(name).map(Arc::as_ref))?;
        let old = bucket.live.remove(name).ok_or(Problem::NoSuchKey)?;
        bucket.archive(name, Some(old));
        Ok(())
    }

    /// Makes all live objects older by `age`.
    pub(crate) fn age(&mut self, age: Duration) {
        for object in self.buckets.values_mut().flat_map(|bucket| bucket.live.values_mut()) {
            Arc::make_mut(object).modified -= age;
        }
    }

    pub(crate) fn list(&self, bucket: &str, query: &Query) -> Result<Page<Arc<Object>>, Problem> {
        let live = self.bucket(bucket)?.live.iter();
        Ok(listing::page(live.map(|(name, object)| (name, Arc::clone(object))), query))
    }

    /// Starts a multipart upload and returns its id.
    pub(crate) fn begin_upload(
        &mut self,
        bucket: &str,
        object: &str,
        attributes: Attributes,
    ) -> Result<String, Problem> {
        let id = format!("upload-{:x}", self.next_generation());
        let upload = Upload::new(object.to_owned(), attributes);
        self.bucket_mut(bucket)?.uploads.insert(id.clone(), upload);
        Ok(id)
    }

    /// Stores a part and returns its ETag.
    pub(crate) fn put_part(
        &mut self,
        bucket: &str,
        object: &str,
        id: &str,
        number: u32,
        content: Content,
    ) -> Result<String, Problem> {
        let etag = format!("\"{:x}\"", self.next_generation());
        self.upload(bucket, object, id)?.put(number, etag.clone(), content)?;
        Ok(etag)
    }

    /// Writes an object from the parts that `list` names by number and ETag.
    pub(crate) fn complete_upload(
        &mut self,
        bucket: &str,
        object: &str,
        id: &str,
        headers: &HeaderMap,
        list: &[(u32, String)],
    ) -> Result<Arc<Object>, Problem> {
        let upload = self.upload(bucket, object, id)?;
        let content = upload.join(list)?;
        let attributes = upload.attributes.clone();
        let written = self.put(bucket, object, headers, content, attributes)?;
        self.bucket_mut(bucket)?.uploads.remove(id);
        Ok(written)
    }

    /// Removes an upload and its parts.
    pub(crate) fn abort_upload(
        &mut self,
        bucket: &str,
        object: &str,
        id: &str,
    ) -> Result<(), Problem> {
        self.upload(bucket, object, id)?;
        self.bucket_mut(bucket)?.uploads.remove(id);
        Ok(())
    }

    /// Returns the object names of open multipart uploads.
    pub(crate) fn unfinished(&self, bucket: &str) -> Result<Vec<String>, Problem> {
        Ok(self.bucket(bucket)?.uploads.values().map(|upload| upload.object.clone()).collect())
    }

    /// Returns the names of all live objects.
    pub(crate) fn names(&self, bucket: &str) -> Result<BTreeSet<String>, Problem> {
        Ok(self.bucket(bucket)?.live.keys().cloned().collect())
    }

    fn upload(&mut self, bucket: &str, object: &str, id: &str) -> Result<&mut Upload, Problem> {
        let upload = self.bucket_mut(bucket)?.uploads.get_mut(id);
        upload.filter(|upload| upload.object == object).ok_or(Problem::NoSuchUpload)
    }

    fn bucket(&self, name: &str) -> Result<&Bucket, Problem> {
        self.buckets.get(name).ok_or(Problem::NoSuchBucket)
    }

    fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket, Problem> {
        self.buckets.get_mut(name).ok_or(Problem::NoSuchBucket)
    }

    /// Returns the time in microseconds, as Google does, but never the same number twice.
    fn next_generation(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_micros()).unwrap_or_default();
        self.generation = now.max(self.generation + 1);
        self.generation
    }
}

impl Bucket {
    fn archive(&mut self, name: &str, object: Option<Arc<Object>>) {
        if let Some(object) = object
            && self.versioning == Versioning::On
        {
            self.archived.insert((name.to_owned(), object.generation), object);
        }
    }
}
