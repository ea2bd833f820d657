//! What is sent back, and the body of it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};

use crate::content::Content;
use crate::problem::Problem;
use crate::xml;

/// A response before it is sent.
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
        Self::new(StatusCode::OK).with_text("application/xml; charset=UTF-8", document)
    }

    pub(crate) fn with_text(mut self, content_type: &'static str, text: String) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.content = Bytes::from(text).into();
        self
    }

    pub(crate) fn into_response(self) -> Response<ReplyBody> {
        let body = ReplyBody { pieces: self.content.pieces().iter().cloned().collect() };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let is_bodiless =
            self.status == StatusCode::NO_CONTENT || self.status == StatusCode::NOT_MODIFIED;
        if !is_bodiless {
            let len = HeaderValue::from(self.content.len());
            response.headers_mut().entry(CONTENT_LENGTH).or_insert(len);
        }
        response
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let mut reply = Self::new(problem.status());
        if problem != Problem::NotModified {
            reply = reply.with_text("application/xml; charset=UTF-8", xml::error(&problem));
        }
        reply
    }
}

/// The body of a response, piece by piece.
pub(crate) struct ReplyBody {
    pieces: VecDeque<Bytes>,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }
}
