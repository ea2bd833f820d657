//! The errors of HTTP requests, as messages carry them.

use std::io;

use hype_wire::worker::HttpError;
use wasmtime_wasi_http::Error;

use crate::http::ProtocolError;
use crate::truncate;

/// Encodes the error of a request.
pub(super) fn encode(error: &Error) -> HttpError {
    let text = |error: &dyn std::fmt::Display| truncate::message(&error.to_string());
    match error {
        Error::DnsError { rcode, .. } => HttpError::Dns(text(&rcode.as_deref().unwrap_or("?"))),
        Error::DestinationNotFound => HttpError::DestinationNotFound,
        Error::ConnectionRefused => HttpError::ConnectionRefused,
        Error::Connect(error) => HttpError::Connect {
            reason: text(error),
            is_address_unavailable: error.kind() == io::ErrorKind::AddrNotAvailable,
        },
        Error::ConnectionTimeout => HttpError::ConnectionTimeout,
        Error::ConnectionReadTimeout => HttpError::ReadTimeout,
        Error::ConnectionLimitReached => HttpError::ConnectionLimit,
        Error::Tls(error) => HttpError::Tls(text(error)),
        Error::HttpRequestMethodInvalid => HttpError::MethodInvalid,
        Error::HttpRequestUriInvalid => HttpError::UriInvalid,
        Error::HttpRequestBodySize(limit) => HttpError::RequestBodySize(*limit),
        Error::HttpResponseBodySize(limit) => HttpError::ResponseBodySize(*limit),
        Error::HttpResponseTimeout => HttpError::ResponseTimeout,
        Error::Hyper(error) => HttpError::Protocol(text(error)),
        Error::HttpProtocolError => HttpError::Protocol(text(error)),
        other => HttpError::Other(text(other)),
    }
}

/// Decodes the error of a request. The guest sees the same error code as for the original one.
pub(super) fn decode(error: HttpError) -> Error {
    match error {
        HttpError::Dns(reason) => Error::DnsError { rcode: Some(reason), info_code: None },
        HttpError::DestinationNotFound => Error::DestinationNotFound,
        HttpError::ConnectionRefused => Error::ConnectionRefused,
        HttpError::Connect { reason, is_address_unavailable } => {
            let kind = match is_address_unavailable {
                true => io::ErrorKind::AddrNotAvailable,
                false => io::ErrorKind::Other,
            };
            Error::Connect(io::Error::new(kind, reason))
        }
        HttpError::ConnectionTimeout => Error::ConnectionTimeout,
        HttpError::ReadTimeout => Error::ConnectionReadTimeout,
        HttpError::ConnectionLimit => Error::ConnectionLimitReached,
        HttpError::Tls(reason) => Error::Tls(io::Error::other(reason)),
        HttpError::MethodInvalid => Error::HttpRequestMethodInvalid,
        HttpError::UriInvalid => Error::HttpRequestUriInvalid,
        HttpError::RequestBodySize(limit) => Error::HttpRequestBodySize(limit),
        HttpError::ResponseBodySize(limit) => Error::HttpResponseBodySize(limit),
        HttpError::ResponseTimeout => Error::HttpResponseTimeout,
        HttpError::Protocol(text) => Error::Connect(io::Error::other(ProtocolError(text))),
        HttpError::Other(text) => Error::InternalError(Some(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_keeps_its_kind_and_its_text() {
        for error in [
            Error::DnsError { rcode: Some("no such name".to_owned()), info_code: None },
            Error::DestinationNotFound,
            Error::ConnectionRefused,
            Error::Connect(io::Error::other("unreachable")),
            Error::Connect(io::ErrorKind::AddrNotAvailable.into()),
            Error::ConnectionTimeout,
            Error::ConnectionReadTimeout,
            Error::ConnectionLimitReached,
            Error::Tls(io::Error::other("unknown issuer")),
            Error::HttpRequestMethodInvalid,
            Error::HttpRequestUriInvalid,
            Error::HttpRequestBodySize(Some(7)),
            Error::HttpResponseBodySize(None),
            Error::HttpResponseTimeout,
        ] {
            let decoded = decode(encode(&error));
            assert_eq!(decoded.to_string(), error.to_string());
            assert_eq!(std::mem::discriminant(&decoded), std::mem::discriminant(&error));
        }
        let Error::Connect(decoded) = decode(encode(&Error::HttpProtocolError)) else {
            panic!("a violation of HTTP is carried by an error of the connection")
        };
        assert!(decoded.get_ref().is_some_and(|inner| inner.is::<ProtocolError>()));
        let unknown = decode(encode(&Error::LoopDetected)).to_string();
        assert!(unknown.contains("loop"), "{unknown}");
    }
}
