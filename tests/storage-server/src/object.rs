use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE,
    HeaderName, HeaderValue,
};

use crate::content::Content;

const METADATA_PREFIX: &str = "x-goog-meta-";
const DEFAULT_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// What of a request's headers stays with the object that it writes.
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
    /// Larger than that of every write before, in this server.
    pub(crate) generation: u64,
    pub(crate) modified: SystemTime,
}

impl Object {
    /// With its quotation marks.
    ///
    /// It is made from the generation, since digests of GiBs are slow and no client may rely on one.
    pub(crate) fn etag(&self) -> String {
        format!("\"{:x}\"", self.generation)
    }
}
