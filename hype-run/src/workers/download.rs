//! The response of the program to a request of a worker's guest.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hype_wire::worker::{RequestStep, frame_cost};
use tokio::sync::mpsc::UnboundedReceiver;
use wasmtime_wasi_http::Error;

use super::http_client::HttpClient;
use crate::http::{ConnectionPermit, Exchanged, SendError};
use crate::power::Denied;

/// A step of a response. The window of its body bounds the number of frames.
pub(super) enum Event {
    Head(Response<()>),
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    Failed(Error),
    Denied(Denied),
}

/// An open request. Dropping it closes the request, and then releases its connection.
pub(super) struct OpenRequest {
    client: HttpClient,
    number: u64,
    _permit: ConnectionPermit,
}

impl OpenRequest {
    pub(super) fn new(client: HttpClient, number: u64, permit: ConnectionPermit) -> Self {
        Self { client, number, _permit: permit }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.client.close_request(self.number);
    }
}

/// Waits for the head of the response.
pub(super) async fn response(
    open: OpenRequest,
    mut events: UnboundedReceiver<Event>,
) -> Result<Exchanged, SendError> {
    match events.recv().await {
        Some(Event::Head(response)) => {
            let body = DownloadedBody { open, events, has_ended: false };
            let response = response.map(|()| body.boxed_unsync());
            // Nothing drives the connection here.
            Ok((response, Box::new(std::future::ready(Ok(())))))
        }
        Some(Event::Failed(error)) => Err(error.into()),
        Some(Event::Denied(denied)) => Err(SendError::Denied(denied)),
        Some(Event::Data(_) | Event::Trailers(_) | Event::End) | None => {
            Err(Error::InternalError(None).into())
        }
    }
}

/// The body of a response.
struct DownloadedBody {
    open: OpenRequest,
    events: UnboundedReceiver<Event>,
    has_ended: bool,
}

impl Body for DownloadedBody {
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
        let event = ready!(this.events.poll_recv(context));
        this.has_ended = !matches!(event, Some(Event::Data(_) | Event::Trailers(_)));
        Poll::Ready(match event {
            Some(Event::Data(bytes)) => {
                let consumed = RequestStep::Consumed { cost: frame_cost(bytes.len()) };
                let OpenRequest { client, number, .. } = &this.open;
                // The error means that the program is gone, which ends this process.
                let _ = client.send_step(*number, consumed, b"");
                Some(Ok(Frame::data(bytes)))
            }
            Some(Event::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Event::End) => None,
            Some(Event::Failed(error)) => Some(Err(error)),
            Some(Event::Head(_) | Event::Denied(_)) | None => Some(Err(Error::InternalError(None))),
        })
    }
}
