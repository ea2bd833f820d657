//! The body of a request of a worker, in the program.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use hype_wire::worker::frame_cost;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use wasmtime_wasi_http::Error;

/// A part of a request's body.
pub(super) enum UploadPart {
    Data(Bytes),
    /// The end of a complete body, with its trailers.
    End(Option<HeaderMap>),
}

/// A report about the parts of a request's body.
pub(super) enum Report {
    /// A frame was consumed, which has used this number of bytes of the window.
    Consumed(u64),
    /// The rest of the body isn't needed.
    Dropped,
}

/// A body whose parts the worker sends. It fails if the sender is dropped before its end.
pub(super) struct UploadedBody {
    request: u64,
    parts: UnboundedReceiver<UploadPart>,
    reports: UnboundedSender<(u64, Report)>,
    has_ended: bool,
}

impl UploadedBody {
    /// Creates the body of the request with the number `request`.
    pub(super) fn new(
        request: u64,
        parts: UnboundedReceiver<UploadPart>,
        reports: UnboundedSender<(u64, Report)>,
    ) -> Self {
        Self { request, parts, reports, has_ended: false }
    }

    fn report(&self, report: Report) {
        // The error means that the call has ended.
        let _ = self.reports.send((self.request, report));
    }
}

impl Body for UploadedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if this.has_ended {
            return Poll::Ready(None);
        }
        let part = ready!(this.parts.poll_recv(context));
        this.has_ended = !matches!(part, Some(UploadPart::Data(_)));
        Poll::Ready(match part {
            Some(UploadPart::Data(bytes)) => {
                this.report(Report::Consumed(frame_cost(bytes.len())));
                Some(Ok(Frame::data(bytes)))
            }
            Some(UploadPart::End(trailers)) => trailers.map(|it| Ok(Frame::trailers(it))),
            None => Some(Err(Error::HttpProtocolError)),
        })
    }
}

impl Drop for UploadedBody {
    fn drop(&mut self) {
        if !self.has_ended {
            self.report(Report::Dropped);
        }
    }
}
