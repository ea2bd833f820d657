//! The requests of one guest, checked against its grants and limits.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::TryFutureExt;
use futures::future::BoxFuture;
use http::uri::Scheme;
use http::{Method, Request, Uri};
use hype_wire::{HttpGrant, Remedy};
use wasmtime_wasi_http::p2::bindings::http::types::{self, ErrorCode};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::connections::Connections;
use super::destination;
use super::exchange::{Client, ExchangeLimits, Exchanged, Granted, SendError};
use super::protocol_error::ProtocolError;
use crate::limits::{HTTP_CONNECT_TIMEOUT, HTTP_READ_TIMEOUT};
use crate::power::Denied;

/// The grants, the open connections and the denied request of one guest.
pub(crate) struct Requests {
    grants: Vec<HttpGrant>,
    client: Arc<dyn Client>,
    connections: Connections,
    /// The maximum size of a body, in bytes.
    max_body: u64,
    /// The guest's deadline. No request waits longer.
    pub(crate) deadline: Option<Instant>,
    denied: Arc<Mutex<Option<Denied>>>,
}

impl Requests {
    /// Creates the state of a guest that has `grants`, with bodies of up to `max_body` bytes.
    pub(crate) fn new(
        grants: &[HttpGrant],
        client: Arc<dyn Client>,
        max_body: u64,
        connections: Connections,
    ) -> Self {
        Self {
            grants: grants.to_vec(),
            client,
            connections,
            max_body,
            deadline: None,
            denied: Arc::default(),
        }
    }

    /// Returns the last request of the guest that was denied, if any.
    pub(super) fn denied(&self) -> Option<Denied> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the denial of an unsent request if the guest may send none at all.
    pub(super) fn without_grant(&self, unsent: &HostOutgoingRequest) -> Option<Denied> {
        if !self.grants.is_empty() {
            return None;
        }
        match uri(unsent) {
            Some(uri) => destination::find(&uri, &self.grants).err(),
            None => Some(Denied {
                what: "created the body of an HTTP request".to_owned(),
                way_out: "RunEnvironment::allow_http(HOST) would".to_owned(),
                remedy: Some(Remedy::GrantHttp),
            }),
        }
    }

    fn deny(slot: &Mutex<Option<Denied>>, denied: Denied) -> Error {
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(denied);
        Error::HttpRequestDenied
    }

    /// Sends a request, if a grant covers it.
    ///
    /// # Errors
    ///
    /// When the request is denied, or can't be sent.
    pub(crate) fn send(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<BoxFuture<'static, Result<Exchanged, SendError>>, SendError> {
        let destination =
            destination::find(request.uri(), &self.grants).map_err(SendError::Denied)?;
        // A guest must not use the server as a proxy.
        if request.method() == Method::CONNECT {
            return Err(Error::HttpRequestMethodInvalid.into());
        }
        let permit = self.connections.acquire().ok_or(Error::ConnectionLimitReached)?;
        let limits = self.limits(options);
        Ok(self.client.send(Granted { request, destination, options, limits, permit }))
    }

    /// Returns the limits of a request. No timeout is longer than the time to the guest's deadline.
    fn limits(&self, options: RequestOptions) -> ExchangeLimits {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = |requested: Option<Duration>, default: Duration| {
            let timeout = requested.unwrap_or(default);
            left.map_or(timeout, |left| timeout.min(left))
        };
        ExchangeLimits {
            connect: timeout(options.connect_timeout, HTTP_CONNECT_TIMEOUT),
            head: timeout(options.first_byte_timeout, HTTP_READ_TIMEOUT),
            frame: timeout(options.between_bytes_timeout, HTTP_READ_TIMEOUT),
            body: self.max_body,
        }
    }
}

/// Returns the URI of an unsent request, unless it is invalid.
fn uri(request: &HostOutgoingRequest) -> Option<Uri> {
    let scheme = match &request.scheme {
        Some(types::Scheme::Http) => "http",
        Some(types::Scheme::Https) | None => "https",
        Some(types::Scheme::Other(other)) => other,
    };
    let path = request.path_with_query.as_deref().unwrap_or("/");
    let uri = Uri::builder().scheme(scheme).authority(request.authority.as_deref()?);
    uri.path_and_query(path).build().ok()
}

/// A request in progress.
type PendingResponse = Box<dyn Future<Output = Result<Exchanged, Error>> + Send>;

impl WasiHttpHooks for Requests {
    fn is_supported_scheme(&mut self, _: &Scheme) -> bool {
        // Requests with another scheme are denied in `send`, with a message.
        true
    }

    fn set_host_header(&mut self) -> bool {
        // `exchange` sets it to the host that was checked.
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> PendingResponse {
        let slot = Arc::clone(&self.denied);
        let denied = move |error| match error {
            SendError::Failed(error) => error,
            SendError::Denied(denied) => Self::deny(&slot, denied),
        };
        match self.send(request, options.unwrap_or_default()) {
            Ok(response) => Box::new(response.map_err(denied)),
            // The guest is stopped before it continues.
            Err(error) => Box::new(std::future::ready(Err(denied(error)))),
        }
    }

    fn p2_error_from_connect(&mut self, error: &io::Error) -> ErrorCode {
        match error.get_ref() {
            Some(inner) if inner.is::<ProtocolError>() => ErrorCode::HttpProtocolError,
            _ => ErrorCode::ConnectionRefused,
        }
    }
}
