//! One request and its response, over a new connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use hype_wire::{HttpHost, HttpScheme, HttpTarget};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::LimitedBody;
use super::connections::ConnectionPermit;
use super::destination::Destination;
use super::resolver::{BoundedResolver, Resolver};
use super::tls;
use crate::power::Denied;

/// A request that was granted, and its bounds.
pub(crate) struct Granted {
    pub(crate) request: Request<WasiBody>,
    pub(crate) destination: Destination,
    /// The timeouts that the guest has set.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has workers"))]
    pub(crate) options: RequestOptions,
    pub(crate) limits: ExchangeLimits,
    pub(crate) permit: ConnectionPermit,
}

/// A response, and the future that must be kept while its body is read.
pub(crate) type Exchanged = (Response<WasiBody>, Driver);

/// The way in which the requests of a guest reach their servers.
pub(crate) trait Client: Send + Sync {
    /// Sends a request. Dropping the future ends the request.
    fn send(&self, granted: Granted) -> BoxFuture<'static, Result<Exchanged, SendError>>;
}

/// A client that connects to the servers from this process.
pub(crate) struct DirectClient(Arc<dyn Resolver>);

impl DirectClient {
    /// Creates the client of one guest.
    pub(crate) fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self(Arc::new(BoundedResolver::new(resolver)))
    }
}

impl Client for DirectClient {
    fn send(&self, granted: Granted) -> BoxFuture<'static, Result<Exchanged, SendError>> {
        let Granted { request, destination, limits, permit, .. } = granted;
        Box::pin(send(request, destination, Arc::clone(&self.0), limits, permit))
    }
}

/// The maximum size of a response's head, in bytes.
pub(super) const MAX_HEAD: usize = 128 << 10;

/// The timeouts of one request, and the maximum size of its bodies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExchangeLimits {
    /// The timeout of DNS, TCP and TLS together.
    pub(super) connect: Duration,
    /// The timeout from the connection to the response's head.
    pub(super) head: Duration,
    /// The timeout between two frames of the response's body.
    pub(super) frame: Duration,
    /// The maximum size of each body, in bytes.
    pub(super) body: u64,
}

/// The error of a request without a response.
pub(crate) enum SendError {
    /// An error that the call returns to the guest.
    Failed(Error),
    /// A denial, which stops the guest.
    Denied(Denied),
}

impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<hyper::Error> for SendError {
    fn from(error: hyper::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The future that drives a connection.
pub(crate) type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Sends `request` to `destination`. Returns the response and the future that must be polled while its body
/// is read.
async fn send(
    mut request: Request<WasiBody>,
    destination: Destination,
    resolver: Arc<dyn Resolver>,
    limits: ExchangeLimits,
    connection_permit: ConnectionPermit,
) -> Result<Exchanged, SendError> {
    let target = &destination.target;
    request.headers_mut().insert(HOST, host_header(target)?);
    *request.uri_mut() = in_origin_form(request.uri())?;
    let request = request.map(|body| LimitedBody::of_request(body, limits.body));
    let connecting = connect(&destination, &*resolver);
    let stream =
        timeout(limits.connect, connecting).await.map_err(|_| Error::ConnectionTimeout)??;
    let mut client = hyper::client::conn::http1::Builder::new();
    let (mut sender, connection) =
        client.max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
    // The connection ends when the response's body does.
    let connection = tokio::spawn(connection);
    let abort = AbortOnDrop(connection.abort_handle());
    let response = timeout(limits.head, sender.send_request(request))
        .await
        .map_err(|_| Error::HttpResponseTimeout)??;
    let response = response.map(|body| {
        LimitedBody::of_response(body, limits.body, limits.frame, connection_permit).boxed_unsync()
    });
    let driver = async move {
        let _abort = abort;
        match connection.await {
            Ok(ended) => ended.map_err(Error::from),
            Err(_) => Ok(()),
        }
    };
    Ok((response, Box::new(driver)))
}

/// Aborts a task when its guest is dropped.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to one of the host's addresses that the grants allow. Resolves the host name once, so that the
/// connection goes to an address that was checked.
async fn connect(
    destination: &Destination,
    resolver: &dyn Resolver,
) -> Result<Box<dyn Stream>, SendError> {
    let target = &destination.target;
    let addresses = match &target.host {
        HttpHost::Address(address) => vec![*address],
        HttpHost::Name(name) => resolver.addresses(name.clone()).await.map_err(|error| {
            tracing::debug!("cannot resolve {name}: {error}");
            Error::DnsError { rcode: Some(error.to_string()), info_code: None }
        })?,
    };
    let allowed = destination.allowed(&addresses).map_err(SendError::Denied)?;
    let stream = connect_first(&allowed).await?;
    // Without Nagle's algorithm, the last part of a request isn't delayed.
    stream.set_nodelay(true).map_err(Error::Connect)?;
    match target.scheme {
        HttpScheme::Http => Ok(Box::new(stream)),
        HttpScheme::Https => {
            let connector = TlsConnector::from(tls::config().await.map_err(Error::Tls)?);
            let stream = connector.connect(server_name(&target.host)?, stream).await;
            Ok(Box::new(stream.map_err(Error::Tls)?))
        }
    }
}

/// Connects to the first of `addresses` that accepts a connection.
async fn connect_first(addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
    let mut last = Error::DestinationNotFound;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last = Error::ConnectionRefused;
            }
            Err(error) => last = Error::Connect(error),
        }
    }
    Err(last)
}

fn server_name(host: &HttpHost) -> Result<ServerName<'static>, Error> {
    match host {
        HttpHost::Address(address) => Ok(IpAddr::into(*address)),
        HttpHost::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)
        }
    }
}

fn host_header(target: &HttpTarget) -> Result<HeaderValue, Error> {
    HeaderValue::try_from(target.authority()).map_err(|_| Error::HttpRequestUriInvalid)
}

/// Returns the path and query of `uri`: only requests to a proxy contain the whole URL.
fn in_origin_form(uri: &Uri) -> Result<Uri, Error> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    path.parse().map_err(|_| Error::HttpRequestUriInvalid)
}
