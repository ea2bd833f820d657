//! One request and its answer, over a connection of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use hype_wire::{HttpHost, HttpScheme, HttpTarget};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, WasiBody};

use super::body::Bounded;
use super::destination::Destination;
use super::resolver::Resolver;
use super::tls;
use crate::power::Denied;

/// How much of an answer's head is read, in bytes.
const HEAD: usize = 128 << 10;

/// What a request may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until there is a connection.
    pub(super) connect: Duration,
    /// From then to the answer's head.
    pub(super) answer: Duration,
    /// Between two frames of its body.
    pub(super) pause: Duration,
    /// The bytes of either body.
    pub(super) body: u64,
}

/// Why there is no answer.
pub(super) enum Failed {
    /// It has none, as the guest is told.
    Told(Error),
    /// The guest may not ask.
    Denied(Denied),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

impl From<hyper::Error> for Failed {
    fn from(error: hyper::Error) -> Self {
        Self::Told(error.into())
    }
}

/// What drives a connection.
pub(super) type Driver = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Sends `request` to `destination`, and gives the head of its answer, with a body that the future beside it
/// must be run for.
pub(super) async fn send(
    mut request: Request<WasiBody>,
    destination: Destination,
    resolver: Arc<dyn Resolver>,
    patience: Patience,
    permit: OwnedSemaphorePermit,
) -> Result<(Response<WasiBody>, Driver), Failed> {
    let target = &destination.target;
    request.headers_mut().insert(HOST, host_header(target)?);
    *request.uri_mut() = in_origin_form(request.uri())?;
    let request = request.map(|body| Bounded::of_request(body, patience.body));
    let connecting = connect(&destination, &*resolver);
    let stream =
        timeout(patience.connect, connecting).await.map_err(|_| Error::ConnectionTimeout)??;
    let mut client = hyper::client::conn::http1::Builder::new();
    let (mut sender, connection) =
        client.max_buf_size(HEAD).handshake(TokioIo::new(stream)).await?;
    // The future that drives the connection ends when the answer's body does.
    let connection = tokio::spawn(connection);
    let stop = AbortOnDrop(connection.abort_handle());
    let answer = timeout(patience.answer, sender.send_request(request))
        .await
        .map_err(|_| Error::HttpResponseTimeout)??;
    let answer = answer
        .map(|body| Bounded::of_answer(body, patience.body, patience.pause, permit).boxed_unsync());
    let driver = async move {
        let _stop = stop;
        match connection.await {
            Ok(ended) => ended.map_err(Error::from),
            Err(_) => Ok(()),
        }
    };
    Ok((answer, Box::new(driver)))
}

/// Ends a task when its guest is gone.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to one of the host's addresses that the grant is for. Its name is resolved once.
async fn connect(
    destination: &Destination,
    resolver: &dyn Resolver,
) -> Result<Box<dyn Stream>, Failed> {
    let target = &destination.target;
    let addresses = match &target.host {
        HttpHost::Address(address) => vec![*address],
        HttpHost::Name(name) => resolver.addresses(name.clone()).await.map_err(|error| {
            tracing::debug!("cannot resolve {name}: {error}");
            Error::DnsError { rcode: Some(error.to_string()), info_code: None }
        })?,
    };
    let vetted = destination.vet(&addresses).map_err(Failed::Denied)?;
    let stream = first_that_answers(&vetted).await?;
    // An answer shouldn't wait for the next packet.
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

async fn first_that_answers(addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
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

/// Only proxies are told the whole URL.
fn in_origin_form(uri: &Uri) -> Result<Uri, Error> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    path.parse().map_err(|_| Error::HttpRequestUriInvalid)
}
