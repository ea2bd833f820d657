//! The responses to HTTP requests of a worker's guest.

use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::fields::Fields;
use super::violation::Violation;
use crate::codec;
use crate::error::WireError;
use crate::failure::Remedy;

/// A message of the program about one HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseMessage {
    /// The number of the request within its call.
    pub request: u64,
    /// The content of the message.
    pub step: ResponseStep,
}

/// One step of a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseStep {
    /// The body of the message is a part of the [`ResponseHead`].
    Head {
        /// Whether this is the last part.
        is_last: bool,
    },
    /// The body of the message is a frame of the response's body.
    Data,
    /// The body of the message is a part of the trailers.
    Trailers {
        /// Whether this is the last part.
        is_last: bool,
    },
    /// The response has ended.
    End,
    /// The request has failed, before or after the response's head.
    Failed(HttpError),
    /// The request is denied, which stops the guest.
    Denied {
        /// The denied action.
        what: String,
        /// The builder call that grants it, or the reason why no call does.
        way_out: String,
        /// The kind of grant that solves the problem, if one does.
        remedy: Option<Remedy>,
    },
    /// Frames of the request's body were consumed.
    Consumed {
        /// The bytes of the window that they used.
        cost: u64,
    },
    /// The rest of the request's body isn't needed.
    BodyDropped,
}

/// The head of a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseHead {
    status: u16,
    fields: Fields,
}

impl ResponseHead {
    /// Creates the head of `response`.
    pub fn new<B>(response: &Response<B>) -> Self {
        Self { status: response.status().as_u16(), fields: Fields::from(response.headers()) }
    }

    /// Encodes the head.
    ///
    /// # Errors
    ///
    /// When it can't be encoded.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        codec::to_vec(self)
    }

    /// Decodes and parses a head.
    ///
    /// # Errors
    ///
    /// When the head is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Response<()>, Violation> {
        let Self { status, fields } = codec::from_slice(bytes).map_err(|_| Violation::Malformed)?;
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Violation::Malformed)?;
        *response.headers_mut() = fields.parse()?;
        Ok(response)
    }
}

/// The error of a request, as the guest sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpError {
    /// The host's name can't be resolved, for this reason.
    Dns(String),
    /// The host has no address.
    DestinationNotFound,
    /// The host rejects connections.
    ConnectionRefused,
    /// The connection failed, for this reason.
    Connect {
        /// The error of the system.
        reason: String,
        /// Whether the address can't be used from this machine.
        is_address_unavailable: bool,
    },
    /// The connection took too long.
    ConnectionTimeout,
    /// The response's body took too long.
    ReadTimeout,
    /// The guest has too many connections.
    ConnectionLimit,
    /// TLS failed, for this reason.
    Tls(String),
    /// The method can't be sent.
    MethodInvalid,
    /// The URL can't be requested.
    UriInvalid,
    /// The request's body is larger than this limit, in bytes.
    RequestBodySize(Option<u64>),
    /// The response's body is larger than this limit, in bytes.
    ResponseBodySize(Option<u64>),
    /// The response's head took too long.
    ResponseTimeout,
    /// The connection broke, or the server violated HTTP, in this way.
    Protocol(String),
    /// Any other error.
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_head_arrives_unchanged() {
        let response = Response::builder().status(404).header("x-a", "1").body(()).unwrap();
        let parsed = ResponseHead::parse(&ResponseHead::new(&response).to_bytes().unwrap());
        let parsed = parsed.unwrap();
        assert_eq!((parsed.status(), parsed.headers()), (response.status(), response.headers()));
        let malformed = ResponseHead { status: 7, fields: Fields::default() };
        assert!(ResponseHead::parse(&malformed.to_bytes().unwrap()).is_err());
    }
}
