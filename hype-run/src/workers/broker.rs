//! The HTTP requests of a call in a worker, which the program makes for its guest.
//!
//! The program checks each request again against the grants of the job, with the code that checks those of guests in this
//! process. A worker that violates the protocol is killed by its call.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hype_wire::codec;
use hype_wire::worker::{
    Fields, MAX_BODY, OpenRequests, ParsedRequest, RequestEvent, RequestMessage, ResponseHead,
    ResponseMessage, ResponseStep, Timeouts, ToWorkerKind, Violation, WINDOW, frame_cost, parts,
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::http_error;
use super::message::begin;
use super::upload::{Report, UploadPart, UploadedBody};
use crate::http::{Exchanged, Requests, SendError};
use crate::limits::CONNECTIONS;

/// The number of messages that wait for the worker.
const QUEUED_MESSAGES: usize = 4;

/// The requests of one call. Dropping it ends them.
pub(super) struct Broker<'a> {
    requests: &'a Requests,
    open: OpenRequests,
    running: HashMap<u64, Running>,
    messages: (mpsc::Sender<Outgoing>, mpsc::Receiver<Outgoing>),
    /// Of the bodies of requests. Each message of the worker empties it, so that what it has is bounded by the windows of these
    /// bodies, also while the worker reads nothing.
    reports: mpsc::UnboundedReceiver<(u64, Report)>,
    report_sender: mpsc::UnboundedSender<(u64, Report)>,
    /// The requests with reports for the worker.
    reported: BTreeSet<u64>,
}

/// A request that has begun and isn't closed.
struct Running {
    _task: AbortOnDropHandle<()>,
    /// The sender of the request's body, until it is complete or no longer needed.
    upload: Option<mpsc::UnboundedSender<UploadPart>>,
    /// The window of the response's body.
    window: Arc<Semaphore>,
    /// The bytes of the window of the request's body that were consumed, and not reported to the worker.
    consumed: u64,
    /// True if the rest of the request's body isn't needed, and the worker has no report of that yet.
    is_dropped: bool,
}

/// A step of a response for the worker, with the body of its message.
struct Outgoing {
    request: u64,
    step: ResponseStep,
    body: Bytes,
}

/// A message for the worker.
pub(super) struct Encoded {
    /// Its kind and its head.
    pub(super) head: Vec<u8>,
    pub(super) body: Bytes,
    pub(super) descriptors: Vec<OwnedFd>,
}

impl<'a> Broker<'a> {
    /// Creates the state of a call whose guest may send `requests`.
    pub(super) fn new(requests: &'a Requests) -> Self {
        let (report_sender, reports) = mpsc::unbounded_channel();
        Self {
            requests,
            open: OpenRequests::new(CONNECTIONS),
            running: HashMap::new(),
            messages: mpsc::channel(QUEUED_MESSAGES),
            reports,
            report_sender,
            reported: BTreeSet::new(),
        }
    }

    /// Handles a message of the worker.
    ///
    /// # Errors
    ///
    /// When the worker must not send it.
    pub(super) fn receive(
        &mut self,
        message: RequestMessage,
        body: &[u8],
    ) -> Result<(), Violation> {
        while let Ok((request, report)) = self.reports.try_recv() {
            self.collect(request, report);
        }
        let request = message.request;
        let Some(event) = self.open.receive(message, body)? else { return Ok(()) };
        if let RequestEvent::Begun(parsed) = event {
            let running = self.begin(request, *parsed);
            self.running.insert(request, running);
            return Ok(());
        }
        let Some(running) = self.running.get_mut(&request) else { return Ok(()) };
        match event {
            RequestEvent::Begun(_) => {}
            RequestEvent::Data(bytes) => {
                running.upload(UploadPart::Data(Bytes::copy_from_slice(bytes)));
            }
            RequestEvent::Ended(trailers) => running.upload(UploadPart::End(trailers)),
            // Without an end the body is incomplete.
            RequestEvent::Aborted => running.upload = None,
            RequestEvent::Consumed(cost) => {
                running.window.add_permits(usize::try_from(cost).unwrap_or_default());
            }
            RequestEvent::Closed => {
                self.reported.remove(&request);
                self.running.remove(&request);
            }
        }
        Ok(())
    }

    fn begin(&self, number: u64, parsed: ParsedRequest) -> Running {
        let ParsedRequest { request, has_body, timeouts } = parsed;
        let (upload, body) = self.body(number, has_body);
        let response = self.requests.send(with_body(request, body), options(timeouts));
        let window = Arc::new(Semaphore::new(WINDOW as usize));
        let transfer = Transfer {
            request: number,
            window: Arc::clone(&window),
            messages: self.messages.0.clone(),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(transfer.run(response)));
        Running { _task: task, upload, window, consumed: 0, is_dropped: false }
    }

    fn body(
        &self,
        number: u64,
        has_body: bool,
    ) -> (Option<mpsc::UnboundedSender<UploadPart>>, WasiBody) {
        if !has_body {
            return (None, Empty::new().map_err(|never| match never {}).boxed_unsync());
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        let body = UploadedBody::new(number, receiver, self.report_sender.clone());
        (Some(sender), body.boxed_unsync())
    }

    /// Waits for the next message for the worker. Loses no message if it is dropped before.
    pub(super) async fn next(&mut self) -> std::io::Result<Encoded> {
        loop {
            let outgoing = match self.next_report() {
                Some(outgoing) => outgoing,
                None => tokio::select! {
                    Some((request, report)) = self.reports.recv() => {
                        self.collect(request, report);
                        continue;
                    }
                    Some(outgoing) = self.messages.1.recv() => outgoing,
                },
            };
            let Outgoing { request, step, body } = outgoing;
            // The worker has closed it meanwhile.
            if !self.open.contains(request) {
                continue;
            }
            if matches!(step, ResponseStep::Data) {
                self.open.sent(request, frame_cost(body.len()));
            }
            let head = begin(ToWorkerKind::Http as u8, &ResponseMessage { request, step })?;
            return Ok(Encoded { head, body, descriptors: Vec::new() });
        }
    }

    /// Keeps a report for the worker, unless its request is closed.
    fn collect(&mut self, request: u64, report: Report) {
        let Some(running) = self.running.get_mut(&request) else { return };
        match report {
            Report::Consumed(cost) => running.consumed += cost,
            Report::Dropped => {
                running.upload = None;
                running.is_dropped = true;
            }
        }
        self.reported.insert(request);
    }

    /// Returns the next report for the worker.
    fn next_report(&mut self) -> Option<Outgoing> {
        let request = self.reported.pop_first()?;
        let running = self.running.get_mut(&request)?;
        let cost = std::mem::take(&mut running.consumed);
        let step = match running.is_dropped {
            true => ResponseStep::BodyDropped,
            false => {
                self.open.consumed(request, cost);
                ResponseStep::Consumed { cost }
            }
        };
        Some(Outgoing { request, step, body: Bytes::new() })
    }
}

impl Running {
    /// Passes on a part of the request's body, unless nothing needs it.
    fn upload(&mut self, part: UploadPart) {
        let is_end = matches!(part, UploadPart::End(_));
        let is_needed = self.upload.as_ref().is_some_and(|upload| upload.send(part).is_ok());
        if is_end || !is_needed {
            self.upload = None;
        }
    }
}

fn with_body(request: Request<()>, body: WasiBody) -> Request<WasiBody> {
    request.map(|()| body)
}

fn options(timeouts: Timeouts) -> RequestOptions {
    let timeout = |nanoseconds: Option<u64>| nanoseconds.map(Duration::from_nanos);
    RequestOptions {
        connect_timeout: timeout(timeouts.connect),
        first_byte_timeout: timeout(timeouts.first_byte),
        between_bytes_timeout: timeout(timeouts.between_bytes),
    }
}

/// The task of one request: passes its response on to the worker.
struct Transfer {
    request: u64,
    window: Arc<Semaphore>,
    messages: mpsc::Sender<Outgoing>,
}

type Response = BoxFuture<'static, Result<Exchanged, SendError>>;

impl Transfer {
    async fn run(self, response: Result<Response, SendError>) {
        let step = match self.pass_on(response).await {
            Ok(()) => ResponseStep::End,
            Err(SendError::Failed(error)) => ResponseStep::Failed(http_error::encode(&error)),
            Err(SendError::Denied(denied)) => ResponseStep::Denied {
                what: denied.what,
                way_out: denied.way_out,
                remedy: denied.remedy,
            },
        };
        self.send(step, Bytes::new()).await;
    }

    async fn pass_on(&self, response: Result<Response, SendError>) -> Result<(), SendError> {
        // The connection ends with the driver, and has a task of its own.
        let (response, _driver) = response?.await?;
        let head = ResponseHead::new(&response).to_bytes().map_err(not_encoded)?;
        self.send_parts(head, |is_last| ResponseStep::Head { is_last }).await;
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) => self.send_data(data).await,
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let trailers = codec::to_vec(&Fields::from(&trailers)).map_err(not_encoded)?;
                    self.send_parts(trailers, |is_last| ResponseStep::Trailers { is_last }).await;
                }
            }
        }
        Ok(())
    }

    /// Sends bytes of the response's body, as far as its window allows.
    async fn send_data(&self, mut data: Bytes) {
        while !data.is_empty() {
            let part = data.split_to(data.len().min(MAX_BODY));
            // The semaphore is never closed, and the cost of a frame is below 2^32.
            if let Ok(permits) = self.window.acquire_many(frame_cost(part.len()) as u32).await {
                permits.forget();
            }
            self.send(ResponseStep::Data, part).await;
        }
    }

    async fn send_parts(&self, bytes: Vec<u8>, step: impl Fn(bool) -> ResponseStep) {
        for (part, is_last) in parts(&bytes) {
            self.send(step(is_last), Bytes::copy_from_slice(part)).await;
        }
    }

    async fn send(&self, step: ResponseStep, body: Bytes) {
        // The error means that the call has ended.
        let _ = self.messages.send(Outgoing { request: self.request, step, body }).await;
    }
}

fn not_encoded(error: hype_wire::WireError) -> Error {
    Error::InternalError(Some(error.to_string()))
}

#[cfg(test)]
mod tests;
