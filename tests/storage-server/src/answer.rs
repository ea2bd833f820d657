//! Carries out a request on the store and builds the reply.

use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue, LAST_MODIFIED,
};
use hyper::{HeaderMap, StatusCode};

use crate::call::{Call, Operation, copy_source};
use crate::condition;
use crate::content::Content;
use crate::listing::Query;
use crate::object::{Attributes, Object};
use crate::problem::Problem;
use crate::range;
use crate::reply::Reply;
use crate::store::Store;
use crate::xml;

/// The maximum number of names in a page of a list.
const MAX_KEYS: u64 = 1000;

/// Carries out `call` and returns the reply.
pub(crate) fn answer(
    store: &mut Store,
    call: &Call,
    headers: &HeaderMap,
    content: Content,
) -> Result<Reply, Problem> {
    let (bucket, name) = (&*call.bucket, &*call.object);
    let upload = call.parameter("uploadId").unwrap_or_default();
    match call.operation {
        Operation::Read | Operation::Head => read(store, call, headers),
        Operation::Write => {
            let object = store.put(bucket, name, headers, content, Attributes::of(headers))?;
            Ok(with_version(Reply::new(StatusCode::OK), &object))
        }
        Operation::Copy => copy(store, call, headers),
        Operation::Delete => {
            store.delete(bucket, name, headers)?;
            Ok(Reply::new(StatusCode::NO_CONTENT))
        }
        Operation::List => list(store, call),
        Operation::BeginUpload => {
            let id = store.begin_upload(bucket, name, Attributes::of(headers))?;
            Ok(Reply::xml(xml::begun(bucket, name, &id)))
        }
        Operation::WritePart => {
            let number = call.number("partNumber")?.unwrap_or_default();
            let number = u32::try_from(number).unwrap_or_default();
            let etag = store.put_part(bucket, name, upload, number, content)?;
            Ok(with_header(Reply::new(StatusCode::OK), ETAG, etag))
        }
        Operation::CompleteUpload => {
            let parts = xml::parts(&content)?;
            let object = store.complete_upload(bucket, name, upload, headers, &parts)?;
            Ok(with_version(Reply::xml(xml::completed(bucket, name, &object)), &object))
        }
        Operation::AbortUpload => {
            store.abort_upload(bucket, name, upload)?;
            Ok(Reply::new(StatusCode::NO_CONTENT))
        }
        // The service handles token requests itself.
        Operation::Token | Operation::MetadataToken | Operation::Unknown => {
            Err(Problem::MethodNotAllowed)
        }
    }
}

fn read(store: &Store, call: &Call, headers: &HeaderMap) -> Result<Reply, Problem> {
    let object = store.get(&call.bucket, &call.object, call.number("generation")?)?;
    condition::generation(headers, Some(&object))?;
    condition::read(headers, &object)?;
    let len = object.content.len();
    let mut reply = match range::requested(headers, len)? {
        Some(range) => {
            let content_range = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            let mut reply = Reply::new(StatusCode::PARTIAL_CONTENT);
            reply.content = object.content.slice(range);
            with_header(reply, CONTENT_RANGE, content_range)
        }
        None => {
            let mut reply = Reply::new(StatusCode::OK);
            reply.content = object.content.clone();
            reply
        }
    };
    reply.headers.extend(object.attributes.headers().clone());
    reply.headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    reply.headers.insert(LAST_MODIFIED, value(httpdate::fmt_http_date(object.modified)));
    reply.headers.insert("x-goog-stored-content-length", HeaderValue::from(len));
    if call.operation == Operation::Head {
        reply.headers.insert(CONTENT_LENGTH, HeaderValue::from(reply.content.len()));
        reply.content = Content::default();
    }
    Ok(with_version(reply, &object))
}

fn copy(store: &mut Store, call: &Call, headers: &HeaderMap) -> Result<Reply, Problem> {
    let (bucket, name) = copy_source(headers)?;
    let source = store.get(&bucket, &name, None)?;
    let (content, attributes) = (source.content.clone(), source.attributes.clone());
    let object = store.put(&call.bucket, &call.object, headers, content, attributes)?;
    Ok(with_version(Reply::xml(xml::copied(&object)), &object))
}

fn list(store: &Store, call: &Call) -> Result<Reply, Problem> {
    let text = |name| call.parameter(name).unwrap_or_default().to_owned();
    let max_keys = call.number("max-keys")?.unwrap_or(MAX_KEYS).min(MAX_KEYS);
    let query = Query {
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        after: text("start-after"),
        continuation: call.parameter("continuation-token").map(str::to_owned),
        max_keys: usize::try_from(max_keys).unwrap_or(usize::MAX),
    };
    let page = store.list(&call.bucket, &query)?;
    Ok(Reply::xml(xml::list(&call.bucket, &query, &page)))
}

fn with_version(reply: Reply, object: &Object) -> Reply {
    let mut reply = with_header(reply, ETAG, object.etag());
    reply.headers.insert("x-goog-generation", HeaderValue::from(object.generation));
    reply.headers.insert("x-goog-metageneration", HeaderValue::from(1));
    reply
}

fn with_header(mut reply: Reply, name: hyper::header::HeaderName, text: String) -> Reply {
    reply.headers.insert(name, value(text));
    reply
}

/// Converts a text without control characters to a header's value.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
