//! The HTTP client in a worker, which has no sockets: the program sends the requests of the guest.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::Body;
use http_body_util::BodyExt;
use hype_wire::codec;
use hype_wire::worker::{
    Fields, FromWorkerKind, MAX_BODY, MAX_HEAD, RequestHead, RequestMessage, RequestStep,
    ResponseHead, ResponseMessage, ResponseStep, Timeouts, WINDOW, frame_cost, parts,
};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::channel::Channel;
use super::download::{Event, OpenRequest, response};
use super::http_error;
use super::message::{begin, head};
use crate::http::{Client, Exchanged, Granted, SendError};
use crate::power::Denied;

/// The client of one call. Cloning is cheap.
#[derive(Clone)]
pub(super) struct HttpClient(Arc<Shared>);

struct Shared {
    channel: Arc<Channel>,
    state: Mutex<State>,
    /// Notified when the first request begins.
    begun: Arc<Notify>,
}

struct State {
    /// True until the call ends. No message is sent after that.
    is_open: bool,
    /// The number of the next request.
    next: u64,
    open: HashMap<u64, Exchange>,
}

/// A request that isn't closed.
struct Exchange {
    events: mpsc::UnboundedSender<Event>,
    /// The window of the request's body.
    window: Arc<Semaphore>,
    /// The task that sends the request's body. It ends with the request, also if the call ends first: the next call has the
    /// same runtime.
    upload: Option<AbortOnDropHandle<()>>,
    /// The beginning of the response's head or of its trailers.
    head: Vec<u8>,
}

impl HttpClient {
    /// Creates the client of one call. It notifies `begun` of the first request.
    pub(super) fn new(channel: &Arc<Channel>, begun: &Arc<Notify>) -> Self {
        let state = State { is_open: true, next: 0, open: HashMap::new() };
        let (channel, begun) = (Arc::clone(channel), Arc::clone(begun));
        Self(Arc::new(Shared { channel, state: Mutex::new(state), begun }))
    }

    /// Handles a message of the program.
    pub(super) fn dispatch(&self, message: ResponseMessage, body: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        // A message of a request that was closed meanwhile is ignored.
        match state.open.get_mut(&message.request) {
            Some(exchange) => exchange.receive(message.step, body),
            None => Ok(()),
        }
    }

    /// Ends the call: nothing more is sent.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_open = false;
        state.open.clear();
    }

    /// Sends a step of an open request.
    pub(super) fn send_step(&self, request: u64, step: RequestStep, body: &[u8]) -> io::Result<()> {
        // Under the lock, so that nothing follows the end of the call or of the request.
        let state = self.lock();
        match state.open.contains_key(&request) {
            true => self.send_message(request, step, body),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Closes a request.
    pub(super) fn close_request(&self, request: u64) {
        let mut state = self.lock();
        if state.open.remove(&request).is_some() {
            // The error means that the program is gone.
            let _ = self.send_message(request, RequestStep::Close, b"");
        }
    }

    fn send_message(&self, request: u64, step: RequestStep, body: &[u8]) -> io::Result<()> {
        let head = begin(FromWorkerKind::Http as u8, &RequestMessage { request, step })?;
        self.0.channel.send([&head, body], &[])
    }

    /// Sends the head of a request at once, so that it is made while the guest computes.
    fn begin(
        &self,
        granted: Granted,
    ) -> Result<(OpenRequest, mpsc::UnboundedReceiver<Event>), Error> {
        let Granted { request, options, permit, .. } = granted;
        let has_body = !request.body().is_end_stream();
        let head = RequestHead::new(&request, has_body, timeouts(options));
        let head = codec::to_vec(&head).map_err(|error| failed(&error))?;
        if head.len() > MAX_HEAD {
            return Err(Error::HttpRequestHeaderSectionSize(None));
        }
        let (events, receiver) = mpsc::unbounded_channel();
        let window = Arc::new(Semaphore::new(WINDOW as usize));
        let exchange =
            Exchange { events, window: Arc::clone(&window), upload: None, head: Vec::new() };
        let number = self.insert(exchange, &head).map_err(|error| failed(&error))?;
        let open = OpenRequest::new(self.clone(), number, permit);
        if has_body {
            self.start_upload(number, request.into_body(), window);
        }
        Ok((open, receiver))
    }

    fn insert(&self, exchange: Exchange, head: &[u8]) -> io::Result<u64> {
        let mut state = self.lock();
        if !state.is_open {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let number = state.next;
        for (part, is_last) in parts(head) {
            self.send_message(number, RequestStep::Head { is_last }, part)?;
        }
        state.next += 1;
        state.open.insert(number, exchange);
        self.0.begun.notify_one();
        Ok(number)
    }

    fn start_upload(&self, request: u64, body: WasiBody, window: Arc<Semaphore>) {
        let client = self.clone();
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            // The error means that the request is closed.
            let _ = client.upload(request, body, &window).await;
        }));
        if let Some(exchange) = self.lock().open.get_mut(&request) {
            exchange.upload = Some(task);
        }
    }

    /// Sends the body of a request, as far as its window allows.
    async fn upload(&self, request: u64, mut body: WasiBody, window: &Semaphore) -> io::Result<()> {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return self.send_step(request, RequestStep::End { is_complete: false }, b"");
            };
            match frame.into_data() {
                Ok(data) => self.upload_data(request, data, window).await?,
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let trailers = codec::to_vec(&Fields::from(&trailers));
                    for (part, is_last) in parts(&trailers.map_err(io::Error::other)?) {
                        self.send_step(request, RequestStep::Trailers { is_last }, part)?;
                    }
                    return Ok(());
                }
            }
        }
        self.send_step(request, RequestStep::End { is_complete: true }, b"")
    }

    async fn upload_data(
        &self,
        request: u64,
        mut data: Bytes,
        window: &Semaphore,
    ) -> io::Result<()> {
        while !data.is_empty() {
            let part = data.split_to(data.len().min(MAX_BODY));
            // The cost of a frame is below 2^32.
            let permits = window.acquire_many(frame_cost(part.len()) as u32).await;
            permits.map_err(io::Error::other)?.forget();
            self.send_step(request, RequestStep::Data, &part)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client for HttpClient {
    fn send(&self, granted: Granted) -> BoxFuture<'static, Result<Exchanged, SendError>> {
        match self.begin(granted) {
            Ok((open, events)) => Box::pin(response(open, events)),
            Err(error) => Box::pin(std::future::ready(Err(error.into()))),
        }
    }
}

impl Exchange {
    fn receive(&mut self, step: ResponseStep, body: &[u8]) -> io::Result<()> {
        let event = match step {
            ResponseStep::Head { is_last } => match self.append(body, is_last) {
                Some(head) => Event::Head(ResponseHead::parse(&head).map_err(io::Error::other)?),
                None => return Ok(()),
            },
            ResponseStep::Trailers { is_last } => match self.append(body, is_last) {
                Some(trailers) => {
                    let fields: Fields = head(&trailers)?;
                    Event::Trailers(fields.parse().map_err(io::Error::other)?)
                }
                None => return Ok(()),
            },
            ResponseStep::Data => Event::Data(Bytes::copy_from_slice(body)),
            ResponseStep::End => Event::End,
            ResponseStep::Failed(error) => Event::Failed(http_error::decode(error)),
            ResponseStep::Denied { what, way_out, remedy } => {
                Event::Denied(Denied { what, way_out, remedy })
            }
            ResponseStep::Consumed { cost } => {
                self.window.add_permits(usize::try_from(cost).unwrap_or_default());
                return Ok(());
            }
            ResponseStep::BodyDropped => {
                self.upload = None;
                return Ok(());
            }
        };
        // The error means that the guest has dropped the response.
        let _ = self.events.send(event);
        Ok(())
    }

    /// Adds a part, and returns all parts after the last one.
    fn append(&mut self, part: &[u8], is_last: bool) -> Option<Vec<u8>> {
        self.head.extend_from_slice(part);
        is_last.then(|| std::mem::take(&mut self.head))
    }
}

fn timeouts(options: RequestOptions) -> Timeouts {
    let RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout } = options;
    let nanoseconds = |timeout: Option<Duration>| timeout.map(Timeouts::nanoseconds);
    Timeouts {
        connect: nanoseconds(connect_timeout),
        first_byte: nanoseconds(first_byte_timeout),
        between_bytes: nanoseconds(between_bytes_timeout),
    }
}

fn failed(error: &dyn std::error::Error) -> Error {
    Error::InternalError(Some(error.to_string()))
}
