//! HTTP bodies with a maximum size and a timeout between frames.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::Error;

use super::connections::ConnectionPermit;

/// A body that fails when it exceeds its maximum size, or when its next frame takes too long.
pub(super) struct LimitedBody<B> {
    inner: B,
    max_size: u64,
    left: u64,
    too_large: fn(u64) -> Error,
    /// The timeout between frames, and its timer.
    frame_timeout: Option<(Duration, Pin<Box<Sleep>>)>,
    /// The guest's connection, in use until the body is dropped.
    _connection: Option<ConnectionPermit>,
}

impl<B> LimitedBody<B> {
    /// Creates the body of a request.
    pub(super) fn of_request(inner: B, max_size: u64) -> Self {
        Self {
            inner,
            max_size,
            left: max_size,
            too_large: |max_size| Error::HttpRequestBodySize(Some(max_size)),
            frame_timeout: None,
            _connection: None,
        }
    }

    /// Creates the body of a response, with at most `frame_timeout` between two frames.
    pub(super) fn of_response(
        inner: B,
        max_size: u64,
        frame_timeout: Duration,
        connection: ConnectionPermit,
    ) -> Self {
        Self {
            inner,
            max_size,
            left: max_size,
            too_large: |max_size| Error::HttpResponseBodySize(Some(max_size)),
            frame_timeout: Some((frame_timeout, Box::pin(sleep(frame_timeout)))),
            _connection: Some(connection),
        }
    }
}

impl<B> Body for LimitedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let frame = match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let Some((_, timer)) = &mut this.frame_timeout else { return Poll::Pending };
                return timer
                    .as_mut()
                    .poll(context)
                    .map(|()| Some(Err(Error::ConnectionReadTimeout)));
            }
        };
        if let Some((timeout, timer)) = &mut this.frame_timeout
            && let Some(next) = Instant::now().checked_add(*timeout)
        {
            timer.as_mut().reset(next);
        }
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(Into::into)?;
            let size = frame.data_ref().map_or(0, |data| data.len() as u64);
            match this.left.checked_sub(size) {
                Some(left) => {
                    this.left = left;
                    Ok(frame)
                }
                None => Err((this.too_large)(this.max_size)),
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
