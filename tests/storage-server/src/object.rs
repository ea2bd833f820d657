use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE,
    HeaderName, HeaderValue,
};

use crate::content::Content;

const METADATA_PREFIX: &str = "x-goog-meta-";
const DEFAULT_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The headers of a write request that are stored with the object.
#[derive(Debug, Clone)]
pub(crate) struct Attributes(HeaderMap);

impl Attributes {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let is_kept = |name: &HeaderName| {
            let standard = [
                CACHE_CONTROL,
                CONTENT_DISPOSITION,
                CONTENT_ENCODING,
                CONTENT_LANGUAGE,
                CONTENT_TYPE,
            ];
            standard.contains(name) || name.as_str().starts_with(METADATA_PREFIX)
        };
        let kept = headers.iter().filter(|(name, _)| is_kept(name));
        let mut kept: HeaderMap = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        kept.entry(CONTENT_TYPE).or_insert(DEFAULT_TYPE);
        Self(kept)
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.0
    }
}

/// One generation of an object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) content: Content,
    pub(crate) attributes: Attributes,
    /// The generation, larger than that of every earlier write.
    pub(crate) generation: u64,
    pub(crate) modified: SystemTime,
}

impl Object {
    /// Returns the ETag with its quotation marks.
    ///
    /// The ETag is the generation: digests of large objects are slow, and clients must not rely on them.
    pub(crate) fn etag(&self) -> String {
        format!("\"{:x}\"", self.generation)
    }
}
