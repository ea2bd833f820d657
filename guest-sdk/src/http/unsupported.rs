//! Requests outside of a closure: sending one is an error.

use super::error::{Error, Result};
use super::request::Request;
use super::response::Response;

pub(super) fn send(request: Request) -> Result<Response> {
    let Request { method, url, .. } = request;
    Err(Error::new(format!("{method} {url} can be sent only inside a closure")))
}
