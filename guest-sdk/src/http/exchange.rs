//! Sends one request over `wasi:http` and receives its response.

use std::io::{self, Read};
use std::time::Duration;

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme, http_error_code,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use super::error::{Error, Result};
use super::request::{Body, Request};
use super::response::Response;
use super::url;

/// The maximum number of bytes of one read or write of a body.
const CHUNK_SIZE: usize = 64 << 10;

const USER_AGENT: &str = concat!("hype/", env!("CARGO_PKG_VERSION"));

pub(super) fn send(request: Request) -> Result<Response> {
    let Request { method, url, body, timeout, .. } = &request;
    let request_line = format!("{method} {url}");
    let size = match body {
        Body::Empty => Some(0),
        Body::Bytes(bytes) => Some(bytes.len()),
        Body::Reader(_) => None,
    };
    let outgoing = outgoing(&request, size)?;
    let sending =
        outgoing.body().map_err(|()| Error::new(format!("{request_line} cannot have a body")))?;
    let failed =
        |code: ErrorCode| Error::because(format!("{request_line} got no answer"), describe(&code));
    let answer = handle(outgoing, timeout.map(options)).map_err(failed)?;
    let url = request.url.clone();
    write(sending, request.body)
        .map_err(|error| Error::because(format!("cannot send {request_line}"), error))?;
    let incoming = wait(&answer).map_err(failed)?;
    let headers = incoming.headers().entries();
    let status = incoming.status();
    let body =
        incoming.consume().map_err(|()| Error::new(format!("{request_line} has no body")))?;
    let stream = body.stream().map_err(|()| Error::new(format!("{request_line} has no body")))?;
    let body = Box::new(ResponseBody { stream, _body: body });
    Ok(Response { url, status, headers, body })
}

fn outgoing(request: &Request, size: Option<usize>) -> Result<OutgoingRequest> {
    let Request { method, url, headers, .. } = request;
    let malformed = |problem: &str| Error::new(format!("{method} {url} has {problem}"));
    let parts =
        url::split(url).ok_or_else(|| Error::new(format!("`{url}` is not an absolute URL")))?;
    let mut all = headers.clone();
    let has = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    if !has("user-agent") {
        all.push(("user-agent".to_owned(), USER_AGENT.into()));
    }
    // Without the header the body is sent chunked, which some servers don't support.
    let known_size =
        size.filter(|size| *size > 0 || ["POST", "PUT", "PATCH"].contains(&method.as_str()));
    if let Some(size) = known_size.filter(|_| !has("content-length")) {
        all.push(("content-length".to_owned(), size.to_string().into_bytes()));
    }
    let fields = Fields::from_list(&all).map_err(|error| {
        Error::because(format!("{method} {url} has a header that cannot be sent"), error)
    })?;
    let outgoing = OutgoingRequest::new(fields);
    let scheme = match parts.scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let path = if parts.path.starts_with('/') {
        parts.path.to_owned()
    } else {
        format!("/{}", parts.path)
    };
    outgoing.set_method(&method_of(method)).map_err(|()| malformed("an invalid method"))?;
    outgoing.set_scheme(Some(&scheme)).map_err(|()| malformed("an invalid scheme"))?;
    outgoing.set_authority(Some(parts.authority)).map_err(|()| malformed("an invalid host"))?;
    outgoing.set_path_with_query(Some(&path)).map_err(|()| malformed("an invalid path"))?;
    Ok(outgoing)
}

fn method_of(method: &str) -> Method {
    match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn options(timeout: Duration) -> RequestOptions {
    let nanoseconds = Some(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
    let options = RequestOptions::new();
    // The timeouts are optional for a WASI host.
    let _ = options.set_connect_timeout(nanoseconds);
    let _ = options.set_first_byte_timeout(nanoseconds);
    let _ = options.set_between_bytes_timeout(nanoseconds);
    options
}

fn write(sending: OutgoingBody, body: Body) -> io::Result<()> {
    let whole;
    let mut reader: Box<dyn Read> = match body {
        Body::Empty => Box::new(io::empty()),
        Body::Bytes(bytes) => {
            whole = bytes;
            Box::new(io::Cursor::new(whole))
        }
        Body::Reader(reader) => reader,
    };
    let stream = sending.write().map_err(|()| io::Error::other("its body was taken"))?;
    let mut chunk = vec![0; CHUNK_SIZE];
    loop {
        let read = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // A server that stops reading may have sent its response already.
        if !write_all(&stream, &chunk[..read]) {
            return Ok(());
        }
    }
    drop(stream);
    // A failure is reported by the response.
    let _ = OutgoingBody::finish(sending, None);
    Ok(())
}

/// Writes all bytes; returns whether the server accepted them.
fn write_all(stream: &OutputStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match stream.check_write() {
            Ok(0) => stream.subscribe().block(),
            Ok(capacity) => {
                let (chunk, rest) = bytes.split_at(bytes.len().min(capacity as usize));
                if stream.write(chunk).is_err() {
                    return false;
                }
                bytes = rest;
            }
            Err(_) => return false,
        }
    }
    true
}

fn wait(
    answer: &FutureIncomingResponse,
) -> std::result::Result<wasip2::http::types::IncomingResponse, ErrorCode> {
    loop {
        match answer.get() {
            Some(Ok(answer)) => return answer,
            Some(Err(())) => return Err(ErrorCode::InternalError(None)),
            None => answer.subscribe().block(),
        }
    }
}

/// The body of a response. Fields drop in order: the stream must be dropped before the body.
struct ResponseBody {
    stream: InputStream,
    _body: IncomingBody,
}

impl Read for ResponseBody {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        match self.stream.blocking_read(bytes.len().min(CHUNK_SIZE) as u64) {
            Ok(read) => {
                bytes[..read.len()].copy_from_slice(&read);
                Ok(read.len())
            }
            Err(StreamError::Closed) => Ok(0),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = http_error_code(&error);
                Err(io::Error::other(
                    code.map_or_else(|| error.to_debug_string(), |code| describe(&code)),
                ))
            }
        }
    }
}

/// Describes an error code of `wasi:http`.
fn describe(code: &ErrorCode) -> String {
    match code {
        ErrorCode::DnsError(payload) => match &payload.rcode {
            Some(why) => format!("the host's name has no address: {why}"),
            None => "the host's name has no address".to_owned(),
        },
        ErrorCode::DestinationNotFound => "the host's name has no address".to_owned(),
        ErrorCode::ConnectionRefused => "the connection was refused".to_owned(),
        ErrorCode::ConnectionTimeout => "the connection took too long".to_owned(),
        ErrorCode::ConnectionLimitReached => "too many requests are under way".to_owned(),
        ErrorCode::HttpResponseTimeout | ErrorCode::ConnectionReadTimeout => {
            "the host sent nothing before the timeout".to_owned()
        }
        ErrorCode::HttpResponseBodySize(_) => "the answer's body is too large".to_owned(),
        ErrorCode::HttpRequestBodySize(_) => "the request's body is too large".to_owned(),
        ErrorCode::TlsCertificateError => "the host's certificate isn't valid for it".to_owned(),
        ErrorCode::HttpProtocolError => "the answer isn't HTTP".to_owned(),
        other => format!("{other:?}"),
    }
}
