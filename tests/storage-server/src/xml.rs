//! The documents of the XML API.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Buf;
use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::listing::{Page, Query};
use crate::object::Object;
use crate::problem::Problem;

pub(crate) const CONTENT_TYPE: &str = "application/xml; charset=UTF-8";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListBucketResult<'a> {
    name: &'a str,
    prefix: &'a str,
    key_count: usize,
    max_keys: usize,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_continuation_token: Option<&'a str>,
    contents: Vec<Contents<'a>>,
    common_prefixes: Vec<CommonPrefix<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Contents<'a> {
    key: &'a str,
    generation: u64,
    meta_generation: u64,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
    size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CommonPrefix<'a> {
    prefix: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InitiateMultipartUploadResult<'a> {
    bucket: &'a str,
    key: &'a str,
    upload_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CompleteMultipartUploadResult<'a> {
    bucket: &'a str,
    key: &'a str,
    #[serde(rename = "ETag")]
    etag: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CopyObjectResult {
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CompleteMultipartUpload {
    #[serde(default)]
    part: Vec<CompletedPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CompletedPart {
    part_number: u32,
    #[serde(rename = "ETag")]
    etag: String,
}

/// Returns the document of an error.
pub(crate) fn error(problem: &Problem) -> String {
    refusal(problem.code(), problem.message())
}

/// Returns the document of an error with this code and message.
pub(crate) fn refusal(code: &str, message: &str) -> String {
    document(&Error { code, message })
}

/// Returns the document of a page of object names.
pub(crate) fn list(bucket: &str, query: &Query, page: &Page<Arc<Object>>) -> String {
    let contents = page.objects.iter().map(|(name, object)| Contents {
        key: name,
        generation: object.generation,
        meta_generation: 1,
        last_modified: time(object.modified),
        etag: object.etag(),
        size: object.content.len(),
    });
    document(&ListBucketResult {
        name: bucket,
        prefix: &query.prefix,
        key_count: page.objects.len() + page.prefixes.len(),
        max_keys: query.max_keys,
        is_truncated: page.next.is_some(),
        next_continuation_token: page.next.as_deref(),
        contents: contents.collect(),
        common_prefixes: page.prefixes.iter().map(|prefix| CommonPrefix { prefix }).collect(),
    })
}

/// Returns the document of a started multipart upload.
pub(crate) fn begun(bucket: &str, key: &str, upload_id: &str) -> String {
    document(&InitiateMultipartUploadResult { bucket, key, upload_id })
}

/// Returns the document of a completed multipart upload.
pub(crate) fn completed(bucket: &str, key: &str, object: &Object) -> String {
    document(&CompleteMultipartUploadResult { bucket, key, etag: object.etag() })
}

/// Returns the document of a copied object.
pub(crate) fn copied(object: &Object) -> String {
    document(&CopyObjectResult { last_modified: time(object.modified), etag: object.etag() })
}

/// Parses the numbers and ETags of the parts that complete an upload.
pub(crate) fn parts(content: &Content) -> Result<Vec<(u32, String)>, Problem> {
    let document: CompleteMultipartUpload = quick_xml::de::from_reader(content.to_bytes().reader())
        .map_err(|_| Problem::MalformedXml)?;
    Ok(document.part.into_iter().map(|part| (part.part_number, part.etag)).collect())
}

fn document(value: &impl Serialize) -> String {
    // Serialization only fails for values that XML can't express, such as a map without a name.
    let xml = quick_xml::se::to_string(value).unwrap_or_else(|error| format!("<!-- {error} -->"));
    format!("<?xml version='1.0' encoding='UTF-8'?>{xml}")
}

fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
