//! Parses a request into an operation on a bucket or an object.

use std::collections::BTreeMap;
use std::fmt;

use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use crate::problem::Problem;

const COPY_SOURCE: &str = "x-goog-copy-source";
const TOKEN: &str = "/token";
const METADATA_TOKEN: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `GET` of an object or a part of it.
    Read,
    /// `HEAD` of an object.
    Head,
    /// `PUT` of an object.
    Write,
    /// `PUT` of an object with the content of another object.
    Copy,
    /// `DELETE` of an object.
    Delete,
    /// `GET` of a page of a bucket's object names.
    List,
    /// `POST` that starts a multipart upload.
    BeginUpload,
    /// `PUT` of a part.
    WritePart,
    /// `POST` that completes a multipart upload.
    CompleteUpload,
    /// `DELETE` of a multipart upload.
    AbortUpload,
    /// `POST` of a service account's assertion, in exchange for a token.
    Token,
    /// `GET` of a token from the metadata server.
    MetadataToken,
    /// Any other request, which is rejected.
    Unknown,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A parsed request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) bucket: String,
    /// The object's decoded name; empty for requests on a bucket.
    pub(crate) object: String,
    query: BTreeMap<String, String>,
}

impl Call {
    pub(crate) fn of(request: &Parts) -> Self {
        let of_credentials = match (&request.method, request.uri.path()) {
            (&Method::POST, TOKEN) => Some(Operation::Token),
            (&Method::GET, METADATA_TOKEN) => Some(Operation::MetadataToken),
            _ => None,
        };
        if let Some(operation) = of_credentials {
            let (bucket, object, query) = Default::default();
            return Self { operation, bucket, object, query };
        }
        let path = request.uri.path().trim_start_matches('/');
        let (bucket, object) = path.split_once('/').unwrap_or((path, ""));
        let query = request.uri.query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut call = Self {
            operation: Operation::Unknown,
            bucket: decode(bucket),
            object: decode(object),
            query,
        };
        call.operation = call.operation(&request.method, &request.headers);
        call
    }

    fn operation(&self, method: &Method, headers: &HeaderMap) -> Operation {
        let has = |name| self.query.contains_key(name);
        let is_object = !self.bucket.is_empty() && !self.object.is_empty();
        match (method, is_object) {
            (&Method::GET, false) if self.parameter("list-type") == Some("2") => Operation::List,
            (&Method::GET, true) if !has("uploadId") => Operation::Read,
            (&Method::HEAD, true) => Operation::Head,
            (&Method::PUT, true) if has("uploadId") => Operation::WritePart,
            (&Method::PUT, true) if headers.contains_key(COPY_SOURCE) => Operation::Copy,
            (&Method::PUT, true) => Operation::Write,
            (&Method::POST, true) if has("uploads") => Operation::BeginUpload,
            (&Method::POST, true) if has("uploadId") => Operation::CompleteUpload,
            (&Method::DELETE, true) if has("uploadId") => Operation::AbortUpload,
            (&Method::DELETE, true) => Operation::Delete,
            _ => Operation::Unknown,
        }
    }

    /// Returns a parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// Parses a parameter of the query as a number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Problem::InvalidArgument(format!("{name} is not a number.")))
        };
        self.parameter(name).map(parse).transpose()
    }
}

/// Returns the bucket and the object to copy.
pub(crate) fn copy_source(headers: &HeaderMap) -> Result<(String, String), Problem> {
    let source = headers.get(COPY_SOURCE).and_then(|value| value.to_str().ok());
    let source = source.and_then(|source| source.trim_start_matches('/').split_once('/'));
    let (bucket, object) = source
        .ok_or_else(|| Problem::InvalidArgument(format!("{COPY_SOURCE} is not BUCKET/OBJECT.")))?;
    Ok((decode(bucket), decode(object)))
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn call(request: &str) -> (Operation, String, String) {
        let (method, uri) = request.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        let call = Call::of(&request.into_parts().0);
        (call.operation, call.bucket, call.object)
    }

    #[test]
    fn requests_parse_into_operations() {
        for (request, operation, bucket, object) in [
            ("GET /b?list-type=2&prefix=x", Operation::List, "b", ""),
            ("GET /b", Operation::Unknown, "b", ""),
            ("GET /b/o", Operation::Read, "b", "o"),
            ("HEAD /b/o", Operation::Head, "b", "o"),
            ("PUT /b/o", Operation::Write, "b", "o"),
            ("PUT /b", Operation::Unknown, "b", ""),
            ("PUT /b/o?partNumber=1&uploadId=u", Operation::WritePart, "b", "o"),
            ("POST /b/o?uploads=", Operation::BeginUpload, "b", "o"),
            ("POST /b/o?uploadId=u", Operation::CompleteUpload, "b", "o"),
            ("DELETE /b/o?uploadId=u", Operation::AbortUpload, "b", "o"),
            ("DELETE /b/o", Operation::Delete, "b", "o"),
            ("POST /token", Operation::Token, "", ""),
            (&format!("GET {METADATA_TOKEN}?scopes=x"), Operation::MetadataToken, "", ""),
        ] {
            assert_eq!(
                call(request),
                (operation, bucket.to_owned(), object.to_owned()),
                "{request}"
            );
        }
    }

    #[test]
    fn names_are_decoded_once() {
        let (_, bucket, object) = call("GET /my%2Dbucket/a%2Fb/c%20d+%2525");
        assert_eq!((&*bucket, &*object), ("my-bucket", "a/b/c d+%25"));
    }
}
