//! A response before it is sent.

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};

use crate::body::ReplyBody;
use crate::content::Content;
use crate::problem::Problem;
use crate::xml;

/// Status, headers and content.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

impl Reply {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), content: Content::default() }
    }

    pub(crate) fn xml(document: String) -> Self {
        Self::new(StatusCode::OK).with_text(xml::CONTENT_TYPE, document)
    }

    pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Self {
        Self::new(status).with_text("application/json; charset=UTF-8", value.to_string())
    }

    pub(crate) fn with_text(mut self, content_type: &'static str, text: String) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.content = Bytes::from(text).into();
        self
    }

    /// Converts the reply to a response with `body`, which has the content or, with a fault, less.
    pub(crate) fn into_response(self, body: ReplyBody) -> Response<ReplyBody> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let has_no_length =
            [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&self.status);
        if !has_no_length {
            let len = HeaderValue::from(self.content.len());
            response.headers_mut().entry(CONTENT_LENGTH).or_insert(len);
        }
        response
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let mut reply = Self::new(problem.status());
        match problem {
            Problem::NotModified => return reply,
            Problem::InvalidRange(len) => {
                // A text of ASCII characters is always a valid header value.
                let range = HeaderValue::try_from(format!("bytes */{len}"));
                reply.headers.extend(range.ok().map(|range| (CONTENT_RANGE, range)));
            }
            _ => {}
        }
        reply.with_text(xml::CONTENT_TYPE, xml::error(&problem))
    }
}
