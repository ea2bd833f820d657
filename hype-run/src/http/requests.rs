//! What a guest may ask for, and whether it asked for more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::uri::Scheme;
use http::{Method, Request, Response};
use hype_wire::HttpGrant;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::destination;
use super::exchange::{self, Failed, Patience};
use super::resolver::Resolver;
use crate::limits::{CONNECTIONS, HTTP_CONNECT, HTTP_WAIT};
use crate::power::Denied;

/// The requests of one guest.
pub(crate) struct Requests {
    grants: Vec<HttpGrant>,
    resolver: Arc<dyn Resolver>,
    connections: Arc<Semaphore>,
    /// The most bytes of a body.
    body: u64,
    /// When the guest is stopped.
    pub(crate) deadline: Option<Instant>,
    denied: Arc<Mutex<Option<Denied>>>,
}

impl Requests {
    /// Those of a guest that has `grants`, with bodies of up to `body` bytes.
    pub(crate) fn new(grants: &[HttpGrant], resolver: Arc<dyn Resolver>, body: u64) -> Self {
        Self {
            grants: grants.to_vec(),
            resolver,
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            body,
            deadline: None,
            denied: Arc::default(),
        }
    }

    /// What the guest asked for and was not granted, if there is such a thing.
    pub(super) fn denied(&self) -> Option<Denied> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn deny(slot: &Mutex<Option<Denied>>, denied: Denied) -> Error {
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(denied);
        Error::HttpRequestDenied
    }

    /// How long each step may take: no longer than the guest has.
    fn patience(&self, options: Option<RequestOptions>) -> Patience {
        let options = options.unwrap_or_default();
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let within = |asked: Option<Duration>, most: Duration| {
            let time = asked.unwrap_or(most);
            left.map_or(time, |left| time.min(left))
        };
        Patience {
            connect: within(options.connect_timeout, HTTP_CONNECT),
            answer: within(options.first_byte_timeout, HTTP_WAIT),
            pause: within(options.between_bytes_timeout, HTTP_WAIT),
            body: self.body,
        }
    }
}

/// The answer's head with its body, and what drives the connection.
type Sending = Box<
    dyn Future<
            Output = Result<
                (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>),
                Error,
            >,
        > + Send,
>;

fn failed(error: Error) -> Sending {
    Box::new(std::future::ready(Err(error)))
}

impl WasiHttpHooks for Requests {
    fn is_supported_scheme(&mut self, _: &Scheme) -> bool {
        // Others are denied below, where that is told.
        true
    }

    fn set_host_header(&mut self) -> bool {
        // It is set to what was vetted.
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sending {
        let destination = match destination::find(request.uri(), &self.grants) {
            Ok(destination) => destination,
            Err(denied) => return failed(Self::deny(&self.denied, denied)),
        };
        // That would make a proxy of the host.
        if request.method() == Method::CONNECT {
            return failed(Error::HttpRequestMethodInvalid);
        }
        let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() else {
            return failed(Error::ConnectionLimitReached);
        };
        let (resolver, patience) = (Arc::clone(&self.resolver), self.patience(options));
        let slot = Arc::clone(&self.denied);
        Box::new(async move {
            let sent = exchange::send(request, destination, resolver, patience, permit).await;
            sent.map_err(|failed| match failed {
                Failed::Told(error) => error,
                Failed::Denied(denied) => Self::deny(&slot, denied),
            })
        })
    }
}
