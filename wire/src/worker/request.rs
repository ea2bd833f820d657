//! The HTTP requests of a worker's guest.

use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{Method, Request, Uri};
use serde::{Deserialize, Serialize};

use super::fields::{Fields, content_length};
use super::violation::Violation;
use crate::codec;

/// The maximum size of an encoded head or of encoded trailers, in bytes. A guest's fields have at most 128 KiB, and its URL
/// has at most 64 KiB.
pub const MAX_HEAD: usize = 256 << 10;

/// The bytes of a body that may be under way: sent, and not consumed yet.
pub const WINDOW: u64 = 128 << 10;

/// The smallest cost of a frame, which bounds the number of frames under way.
const MIN_COST: u64 = 1 << 10;

/// The maximum length of a method, in bytes.
const MAX_METHOD: usize = 64;

/// Returns the bytes of the window that a frame of `length` bytes uses.
pub fn frame_cost(length: usize) -> u64 {
    (length as u64).max(MIN_COST)
}

/// A message of a worker about one HTTP request of its guest. The numbers of a call's requests begin with 0, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestMessage {
    /// The number of the request within its call.
    pub request: u64,
    /// The content of the message.
    pub step: RequestStep,
}

/// One step of a request. The steps of its body come after its head, and `Close` is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestStep {
    /// The body of the message is a part of the [`RequestHead`].
    Head {
        /// Whether this is the last part.
        is_last: bool,
    },
    /// The body of the message is a frame of the request's body.
    Data,
    /// The body of the message is a part of the trailers, with which the request's body ends.
    Trailers {
        /// Whether this is the last part.
        is_last: bool,
    },
    /// The request's body ends without trailers.
    End {
        /// False if the guest did not finish the body.
        is_complete: bool,
    },
    /// The guest has consumed frames of the response's body.
    Consumed {
        /// The bytes of the window that they used.
        cost: u64,
    },
    /// The guest doesn't need the request any more.
    Close,
}

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHead {
    method: String,
    scheme: String,
    authority: String,
    path_and_query: String,
    fields: Fields,
    has_body: bool,
    timeouts: Timeouts,
}

/// The timeouts that a guest has set for a request, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// The timeout of the connection.
    pub connect: Option<u64>,
    /// The timeout from the connection to the response's head.
    pub first_byte: Option<u64>,
    /// The timeout between two frames of the response's body.
    pub between_bytes: Option<u64>,
}

impl Timeouts {
    /// Encodes a timeout that a guest can set. A longer one than a guest can set is the longest.
    pub fn nanoseconds(timeout: Duration) -> u64 {
        u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A request whose parts were parsed. Its grants are not checked yet.
#[derive(Debug)]
pub struct ParsedRequest {
    /// Method, URL and fields.
    pub request: Request<()>,
    /// Whether the request has a body.
    pub has_body: bool,
    /// The timeouts that the guest has set.
    pub timeouts: Timeouts,
}

impl RequestHead {
    /// Creates the head of `request`.
    ///
    /// ```
    /// use hype_wire::worker::{RequestHead, Timeouts};
    ///
    /// let request = http::Request::get("http://a.example/x?y").body(())?;
    /// let head = RequestHead::new(&request, false, Timeouts::default());
    /// let parsed = RequestHead::parse(&hype_wire::codec::to_vec(&head)?)?;
    /// assert_eq!(parsed.request.uri(), "http://a.example/x?y");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new<B>(request: &Request<B>, has_body: bool, timeouts: Timeouts) -> Self {
        let uri = request.uri();
        Self {
            method: request.method().as_str().to_owned(),
            scheme: uri.scheme_str().unwrap_or_default().to_owned(),
            authority: uri.authority().map_or("", |it| it.as_str()).to_owned(),
            path_and_query: uri.path_and_query().map_or("", |it| it.as_str()).to_owned(),
            fields: Fields::from(request.headers()),
            has_body,
            timeouts,
        }
    }

    /// Decodes and parses a head.
    ///
    /// # Errors
    ///
    /// When the head is one that no guest can have.
    pub fn parse(bytes: &[u8]) -> Result<ParsedRequest, Violation> {
        let invalid = Violation::InvalidRequest;
        let head: Self = codec::from_slice(bytes).map_err(|_| Violation::Malformed)?;
        let Self { method, scheme, authority, path_and_query, fields, has_body, timeouts } = head;
        let method = Some(method).filter(|method| method.len() <= MAX_METHOD);
        let method = method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
        let uri = Uri::builder().scheme(&*scheme).authority(&*authority);
        let uri = uri.path_and_query(&*path_and_query).build();
        let mut request = Request::new(());
        *request.method_mut() = method.ok_or(invalid("its method is none"))?;
        let is_absolute = |uri: &Uri| uri.scheme_str().is_some_and(|it| !it.is_empty());
        let uri = uri.ok().filter(|uri| is_absolute(uri) && uri.authority().is_some());
        *request.uri_mut() = uri.ok_or(invalid("its URL is none"))?;
        *request.headers_mut() = fields.parse_request()?;
        let length = request.headers().get(CONTENT_LENGTH).and_then(content_length);
        if !has_body && length.is_some_and(|length| length > 0) {
            return Err(invalid("it has a length and no body"));
        }
        Ok(ParsedRequest { request, has_body, timeouts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &RequestHead) -> Result<ParsedRequest, Violation> {
        RequestHead::parse(&codec::to_vec(head).unwrap())
    }

    #[test]
    fn head_arrives_unchanged() {
        for uri in ["http://a.example", "https://a.example:81/x/../y?z=ü%20", "http://[::1]/?"] {
            let Ok(uri) = uri.parse::<Uri>() else { continue };
            let request = Request::put(&uri).header("x-a", "1").header("x-a", "2").body(());
            let timeouts = Timeouts { connect: Some(1), ..Timeouts::default() };
            let parsed = parse(&RequestHead::new(&request.unwrap(), true, timeouts)).unwrap();
            assert_eq!((parsed.request.uri(), parsed.request.method()), (&uri, &Method::PUT));
            assert_eq!(parsed.request.headers().get_all("x-a").iter().count(), 2);
            assert!(parsed.has_body && parsed.timeouts == timeouts);
        }
    }

    #[test]
    fn head_that_no_guest_can_have_is_rejected() {
        let request = Request::get("http://a.example/").body(()).unwrap();
        let good = RequestHead::new(&request, false, Timeouts::default());
        assert!(parse(&good).is_ok());
        let text = str::to_owned;
        for bad in [
            RequestHead { method: text("GET / HTTP/1.1\r\n"), ..good.clone() },
            RequestHead { method: "M".repeat(65), ..good.clone() },
            RequestHead { scheme: text(""), ..good.clone() },
            RequestHead { authority: text("a.example/b"), ..good.clone() },
            RequestHead { authority: text(""), ..good.clone() },
            RequestHead { path_and_query: text("/ HTTP/1.1\r\nx: y"), ..good.clone() },
        ] {
            assert!(matches!(parse(&bad), Err(Violation::InvalidRequest(_))), "{bad:?}");
        }
        let long = Request::get("http://a.example/").header("content-length", "5").body(());
        let long = RequestHead::new(&long.unwrap(), false, Timeouts::default());
        assert!(parse(&long).is_err());
        assert_eq!(RequestHead::parse(b"\x90").err(), Some(Violation::Malformed));
    }
}
