//! Checks the preconditions of a request.

use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};

use crate::object::Object;
use crate::problem::Problem;

const IF_GENERATION_MATCH: &str = "x-goog-if-generation-match";

/// Checks the generation precondition of the headers; 0 means that no object exists.
pub(crate) fn generation(headers: &HeaderMap, object: Option<&Object>) -> Result<(), Problem> {
    let Some(wanted) = headers.get(IF_GENERATION_MATCH) else { return Ok(()) };
    let wanted: u64 = wanted.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
        Problem::InvalidArgument(format!("{IF_GENERATION_MATCH} is not a number."))
    })?;
    if object.map_or(0, |object| object.generation) == wanted {
        Ok(())
    } else {
        Err(Problem::PreconditionFailed)
    }
}

/// Checks HTTP's preconditions of a read, in the order of the standard.
pub(crate) fn read(headers: &HeaderMap, object: &Object) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // HTTP's dates have no fractions of seconds.
    let modified = seconds(object.modified);
    let date = |name| text(name).and_then(|date| httpdate::parse_http_date(date).ok()).map(seconds);

    let is_wanted = match text(IF_MATCH) {
        Some(tags) => names(tags, &object.etag()),
        None => date(IF_UNMODIFIED_SINCE).is_none_or(|date| modified <= date),
    };
    if !is_wanted {
        return Err(Problem::PreconditionFailed);
    }
    let is_new = match text(IF_NONE_MATCH) {
        Some(tags) => !names(tags, &object.etag()),
        None => date(IF_MODIFIED_SINCE).is_none_or(|date| modified > date),
    };
    if is_new { Ok(()) } else { Err(Problem::NotModified) }
}

/// Returns whether a list of ETags contains `etag`.
fn names(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == etag)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
