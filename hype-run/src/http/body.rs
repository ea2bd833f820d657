//! Bytes that come or go, up to a bound, and not too slowly.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::Error;

/// A body with no more bytes than are left, each frame of which comes in time.
pub(super) struct Bounded<B> {
    inner: B,
    bound: u64,
    left: u64,
    too_large: fn(u64) -> Error,
    pause: Option<(Duration, Pin<Box<Sleep>>)>,
    /// That the guest has one connection less until it is done with this.
    _connection: Option<OwnedSemaphorePermit>,
}

impl<B> Bounded<B> {
    /// One of a request's.
    pub(super) fn of_request(inner: B, bound: u64) -> Self {
        let too_large = |bound| Error::HttpRequestBodySize(Some(bound));
        Self { inner, bound, left: bound, too_large, pause: None, _connection: None }
    }

    /// One of an answer's, between whose frames no more time may pass than `pause`.
    pub(super) fn of_answer(
        inner: B,
        bound: u64,
        pause: Duration,
        connection: OwnedSemaphorePermit,
    ) -> Self {
        let too_large = |bound| Error::HttpResponseBodySize(Some(bound));
        let pause = Some((pause, Box::pin(sleep(pause))));
        Self { inner, bound, left: bound, too_large, pause, _connection: Some(connection) }
    }
}

impl<B> Body for Bounded<B>
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
                let Some((_, pause)) = &mut this.pause else { return Poll::Pending };
                return pause
                    .as_mut()
                    .poll(context)
                    .map(|()| Some(Err(Error::ConnectionReadTimeout)));
            }
        };
        if let Some((time, pause)) = &mut this.pause
            && let Some(next) = Instant::now().checked_add(*time)
        {
            pause.as_mut().reset(next);
        }
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(Into::into)?;
            let size = frame.data_ref().map_or(0, |data| data.len() as u64);
            match this.left.checked_sub(size) {
                Some(left) => {
                    this.left = left;
                    Ok(frame)
                }
                None => Err((this.too_large)(this.bound)),
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
