//! The states of the HTTP requests of one call, in the program.

use std::collections::HashMap;

use http::HeaderMap;

use super::fields::Fields;
use super::request::{
    MAX_HEAD, ParsedRequest, RequestHead, RequestMessage, RequestStep, WINDOW, frame_cost,
};
use super::violation::Violation;
use crate::codec;

/// The open requests of one call, without I/O. Rejects each message that a worker must not send.
///
/// ```
/// use hype_wire::worker::{OpenRequests, RequestMessage, RequestStep, Violation};
///
/// let mut open = OpenRequests::new(64);
/// let message = RequestMessage { request: 3, step: RequestStep::Data };
/// assert_eq!(open.receive(message, b"x").err(), Some(Violation::UnknownRequest));
/// ```
#[derive(Debug)]
pub struct OpenRequests {
    max: usize,
    /// The number of the next request.
    next: u64,
    open: HashMap<u64, OpenRequest>,
}

#[derive(Debug)]
struct OpenRequest {
    upload: Upload,
    /// The bytes of the request's window that are in use.
    uploaded: u64,
    /// The bytes of the response's window that are in use.
    downloaded: u64,
}

/// The part of the request that the worker sends next.
#[derive(Debug)]
enum Upload {
    /// A part of the head after this beginning.
    Head(Vec<u8>),
    /// A frame of the body, or its end.
    Body,
    /// A part of the trailers after this beginning.
    Trailers(Vec<u8>),
    Nothing,
}

/// The meaning of a worker's message.
#[derive(Debug)]
pub enum RequestEvent<'a> {
    /// The guest sends this request.
    Begun(Box<ParsedRequest>),
    /// A frame of the request's body, which isn't empty.
    Data(&'a [u8]),
    /// The request's body is complete, and has these trailers.
    Ended(Option<HeaderMap>),
    /// The request's body ends before it is complete.
    Aborted,
    /// The window of the response's body has this number of bytes more.
    Consumed(u64),
    /// The request is closed. No message of it follows.
    Closed,
}

impl OpenRequests {
    /// Creates the state of a call that may have `max` open requests.
    pub fn new(max: usize) -> Self {
        Self { max, next: 0, open: HashMap::new() }
    }

    /// Receives a message with its body. Returns `None` if more parts follow.
    ///
    /// # Errors
    ///
    /// When the worker must not send the message.
    pub fn receive<'a>(
        &mut self,
        message: RequestMessage,
        body: &'a [u8],
    ) -> Result<Option<RequestEvent<'a>>, Violation> {
        let RequestMessage { request, step } = message;
        if request == self.next && matches!(step, RequestStep::Head { .. }) {
            self.begin()?;
        }
        let open = self.open.get_mut(&request).ok_or(Violation::UnknownRequest)?;
        match step {
            RequestStep::Head { is_last } => open.receive_head(body, is_last),
            RequestStep::Data => open.receive_data(body).map(Some),
            RequestStep::Trailers { is_last } => open.receive_trailers(body, is_last),
            _ if !body.is_empty() => Err(Violation::Malformed),
            RequestStep::End { is_complete } => open.receive_end(is_complete).map(Some),
            RequestStep::Consumed { cost } => open.receive_consumed(cost).map(Some),
            RequestStep::Close => {
                if matches!(open.upload, Upload::Head(_)) {
                    return Err(Violation::OutOfOrder);
                }
                self.open.remove(&request);
                Ok(Some(RequestEvent::Closed))
            }
        }
    }

    fn begin(&mut self) -> Result<(), Violation> {
        if self.open.len() >= self.max {
            return Err(Violation::TooManyRequests);
        }
        let upload = Upload::Head(Vec::new());
        self.open.insert(self.next, OpenRequest { upload, uploaded: 0, downloaded: 0 });
        self.next += 1;
        Ok(())
    }

    /// Returns the number of open requests.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Returns whether no request is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns whether the request with this number is open.
    pub fn contains(&self, request: u64) -> bool {
        self.open.contains_key(&request)
    }

    /// Returns `cost` bytes to the window of the request's body. A closed request has no window.
    pub fn consumed(&mut self, request: u64, cost: u64) {
        if let Some(open) = self.open.get_mut(&request) {
            open.uploaded = open.uploaded.saturating_sub(cost);
        }
    }

    /// Takes `cost` bytes of the window of the response's body, for a frame that is sent now.
    pub fn sent(&mut self, request: u64, cost: u64) {
        if let Some(open) = self.open.get_mut(&request) {
            open.downloaded += cost;
        }
    }
}

impl OpenRequest {
    fn receive_head(
        &mut self,
        part: &[u8],
        is_last: bool,
    ) -> Result<Option<RequestEvent<'static>>, Violation> {
        let Upload::Head(head) = &mut self.upload else { return Err(Violation::OutOfOrder) };
        append(head, part)?;
        if !is_last {
            return Ok(None);
        }
        let parsed = RequestHead::parse(head)?;
        self.upload = if parsed.has_body { Upload::Body } else { Upload::Nothing };
        Ok(Some(RequestEvent::Begun(Box::new(parsed))))
    }

    fn receive_data<'a>(&mut self, body: &'a [u8]) -> Result<RequestEvent<'a>, Violation> {
        if !matches!(self.upload, Upload::Body) {
            return Err(Violation::OutOfOrder);
        }
        if body.is_empty() {
            return Err(Violation::EmptyFrame);
        }
        self.uploaded += frame_cost(body.len());
        if self.uploaded > WINDOW {
            return Err(Violation::WindowExceeded);
        }
        Ok(RequestEvent::Data(body))
    }

    fn receive_trailers(
        &mut self,
        part: &[u8],
        is_last: bool,
    ) -> Result<Option<RequestEvent<'static>>, Violation> {
        if matches!(self.upload, Upload::Body) {
            self.upload = Upload::Trailers(Vec::new());
        }
        let Upload::Trailers(trailers) = &mut self.upload else {
            return Err(Violation::OutOfOrder);
        };
        append(trailers, part)?;
        if !is_last {
            return Ok(None);
        }
        let fields: Fields = codec::from_slice(trailers).map_err(|_| Violation::Malformed)?;
        let fields = fields.parse_request()?;
        self.upload = Upload::Nothing;
        Ok(Some(RequestEvent::Ended(Some(fields))))
    }

    fn receive_end(&mut self, is_complete: bool) -> Result<RequestEvent<'static>, Violation> {
        if !matches!(self.upload, Upload::Body) {
            return Err(Violation::OutOfOrder);
        }
        self.upload = Upload::Nothing;
        Ok(if is_complete { RequestEvent::Ended(None) } else { RequestEvent::Aborted })
    }

    fn receive_consumed(&mut self, cost: u64) -> Result<RequestEvent<'static>, Violation> {
        let left = self.downloaded.checked_sub(cost).filter(|_| cost > 0);
        self.downloaded = left.ok_or(Violation::UnsentConsumed)?;
        Ok(RequestEvent::Consumed(cost))
    }
}

fn append(head: &mut Vec<u8>, part: &[u8]) -> Result<(), Violation> {
    if head.len() + part.len() > MAX_HEAD {
        return Err(Violation::HeadTooLarge);
    }
    head.extend_from_slice(part);
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::super::frame::MAX_BODY;
    use super::super::request::Timeouts;
    use super::*;

    const HEAD: RequestStep = RequestStep::Head { is_last: true };
    const END: RequestStep = RequestStep::End { is_complete: true };

    fn head(has_body: bool) -> Vec<u8> {
        let request = Request::put("http://a.example/").body(()).unwrap();
        codec::to_vec(&RequestHead::new(&request, has_body, Timeouts::default())).unwrap()
    }

    fn receive(
        open: &mut OpenRequests,
        request: u64,
        step: RequestStep,
        body: &[u8],
    ) -> Result<Option<String>, Violation> {
        let event = open.receive(RequestMessage { request, step }, body)?;
        Ok(event.map(|event| format!("{event:?}")))
    }

    fn with_request() -> OpenRequests {
        let mut open = OpenRequests::new(2);
        receive(&mut open, 0, HEAD, &head(true)).unwrap();
        open
    }

    #[test]
    fn request_with_a_body_passes() {
        let mut open = OpenRequests::new(1);
        let head = head(true);
        let first = RequestStep::Head { is_last: false };
        assert_eq!(receive(&mut open, 0, first, &head[..3]), Ok(None));
        assert!(receive(&mut open, 0, HEAD, &head[3..]).unwrap().unwrap().starts_with("Begun"));
        for _ in 0..3 {
            receive(&mut open, 0, RequestStep::Data, &[7; MAX_BODY]).unwrap();
            open.consumed(0, frame_cost(MAX_BODY));
        }
        assert_eq!(receive(&mut open, 0, END, b"").unwrap().unwrap(), "Ended(None)");
        open.sent(0, 100);
        receive(&mut open, 0, RequestStep::Consumed { cost: 100 }, b"").unwrap();
        assert!(open.contains(0));
        receive(&mut open, 0, RequestStep::Close, b"").unwrap();
        assert!(open.is_empty());
    }

    #[test]
    fn trailers_end_a_body() {
        let mut open = with_request();
        let mut fields = HeaderMap::new();
        fields.insert("x-a", "1".parse().unwrap());
        let bytes = codec::to_vec(&Fields::from(&fields)).unwrap();
        let last = RequestStep::Trailers { is_last: true };
        assert!(receive(&mut open, 0, last, &bytes).unwrap().unwrap().contains("x-a"));
        assert_eq!(receive(&mut open, 0, END, b""), Err(Violation::OutOfOrder));
        let mut open = with_request();
        fields.insert("host", "b.example".parse().unwrap());
        let bytes = codec::to_vec(&Fields::from(&fields)).unwrap();
        assert!(receive(&mut open, 0, last, &bytes).is_err());
    }

    #[test]
    fn violations_are_found() {
        let reject = |step, body: &[u8], violation| {
            assert_eq!(receive(&mut with_request(), 0, step, body), Err(violation), "{step:?}");
        };
        reject(HEAD, &head(true), Violation::OutOfOrder);
        reject(RequestStep::Data, b"", Violation::EmptyFrame);
        reject(END, b"x", Violation::Malformed);
        reject(RequestStep::Consumed { cost: 1 }, b"", Violation::UnsentConsumed);
        reject(RequestStep::Consumed { cost: 0 }, b"", Violation::UnsentConsumed);
        reject(RequestStep::Trailers { is_last: true }, b"x", Violation::Malformed);

        let mut open = with_request();
        assert_eq!(receive(&mut open, 1, END, b""), Err(Violation::UnknownRequest));
        assert_eq!(receive(&mut open, 2, HEAD, &head(true)), Err(Violation::UnknownRequest));
        receive(&mut open, 1, HEAD, &head(false)).unwrap();
        assert_eq!(receive(&mut open, 1, RequestStep::Data, b"x"), Err(Violation::OutOfOrder));
        assert_eq!(receive(&mut open, 2, HEAD, &head(true)), Err(Violation::TooManyRequests));
        receive(&mut open, 0, RequestStep::Close, b"").unwrap();
        assert_eq!(receive(&mut open, 0, RequestStep::Data, b"x"), Err(Violation::UnknownRequest));
        assert_eq!(receive(&mut open, 0, HEAD, &head(true)), Err(Violation::UnknownRequest));
    }

    #[test]
    fn window_bounds_bytes_and_frames() {
        for (size, frames) in [(MAX_BODY, 2), (1, 128)] {
            let mut open = with_request();
            let body = vec![0; size];
            let mut send = || receive(&mut open, 0, RequestStep::Data, &body);
            (0..frames).for_each(|_| drop(send().unwrap()));
            assert_eq!(send(), Err(Violation::WindowExceeded));
        }
    }

    #[test]
    fn head_is_bounded_and_must_be_complete_before_the_end() {
        let mut open = OpenRequests::new(1);
        let part = RequestStep::Head { is_last: false };
        let mut send = || receive(&mut open, 0, part, &[0; MAX_BODY]);
        (0..4).for_each(|_| drop(send().unwrap()));
        assert_eq!(send(), Err(Violation::HeadTooLarge));
        assert_eq!(receive(&mut open, 0, RequestStep::Close, b""), Err(Violation::OutOfOrder));
        assert_eq!(receive(&mut open, 0, RequestStep::Data, b"x"), Err(Violation::OutOfOrder));
    }
}
