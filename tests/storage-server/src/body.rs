//! The body of a response: its pieces, and the faults between them.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};
use tokio::time::Sleep;

use crate::connection::Reset;
use crate::content::Content;
use crate::fault::Fault;

/// A step of sending a body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Send(Bytes),
    /// Flushes the bytes so far, which a reset would discard otherwise.
    Flush,
    Pause(Duration),
    Reset,
}

/// The body of a response.
pub(crate) struct ReplyBody {
    steps: VecDeque<Step>,
    reset: Reset,
    pause: Option<Pin<Box<Sleep>>>,
}

impl ReplyBody {
    /// Creates a body of the bytes of `content` with `fault`.
    pub(crate) fn new(content: &Content, fault: Option<&Fault>, reset: Reset) -> Self {
        // An empty body has no faults.
        let fault = fault.filter(|_| !content.is_empty());
        let steps = fault.map_or_else(|| send(content), |fault| steps(content, fault));
        Self { steps: steps.into(), reset, pause: None }
    }
}

fn send(content: &Content) -> Vec<Step> {
    content.pieces().iter().cloned().map(Step::Send).collect()
}

fn steps(content: &Content, fault: &Fault) -> Vec<Step> {
    let len = content.len();
    let before = |after: u64| send(&content.slice(0..after.min(len)));
    let rest = |after: u64| send(&content.slice(after.min(len)..len));
    match *fault {
        Fault::DelayBody { after, pause } => {
            [before(after), vec![Step::Flush, Step::Pause(pause)], rest(after)].concat()
        }
        Fault::SlowBody { piece, pause } => slow(content, piece.max(1), pause),
        Fault::ResetBody { after } => [before(after), vec![Step::Flush, Step::Reset]].concat(),
        Fault::CutBody { after } => [before(after), vec![Step::Flush]].concat(),
        Fault::AlterBody { at } => {
            let at = at.min(len - 1);
            let byte = content.slice(at..at + 1).to_bytes();
            let flipped: BytesMut = byte.iter().map(|byte| !byte).collect();
            [before(at), vec![Step::Send(flipped.freeze())], rest(at + 1)].concat()
        }
        Fault::Refuse(_)
        | Fault::RefuseAfterServing(_)
        | Fault::Reset
        | Fault::ResetAfterServing
        | Fault::Delay(_) => send(content),
    }
}

fn slow(content: &Content, piece: u64, pause: Duration) -> Vec<Step> {
    let len = content.len();
    let starts = (0..len).step_by(usize::try_from(piece).unwrap_or(usize::MAX));
    let pieces = starts.map(|start| content.slice(start..start.saturating_add(piece).min(len)));
    pieces
        .flat_map(|piece| [send(&piece), vec![Step::Flush, Step::Pause(pause)]].concat())
        .collect()
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Send(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Some(Step::Flush) => {
                    // hyper flushes when a body is pending.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Pause(pause)) => self.pause = Some(Box::pin(tokio::time::sleep(pause))),
                Some(Step::Reset) => return Poll::Ready(Some(Err(self.reset.request()))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.pause.is_none()
    }
}
