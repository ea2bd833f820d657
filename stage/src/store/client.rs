//! What the clients of all providers have in common: TLS, time limits, and what is tried again.

use std::net::IpAddr;
use std::time::Duration;

use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use url::Url;

use crate::error::{StageError, StageErrorKind};
use crate::options::StageOptions;

/// For one request and its answer. A part of an upload has 8 MiB, and eight are under way.
const REQUEST: Duration = Duration::from_secs(120);

/// For a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// For how long a metadata server that doesn't answer is asked again, and how long one answer may
/// take. One that is there may need some seconds after its Pod has started; where there is none,
/// nobody wants to wait.
const METADATA: Duration = Duration::from_secs(4);

/// Has TLS use the crate ring.
pub(crate) fn use_ring() {
    // The first provider stays: a program may have chosen one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

pub(super) fn options() -> ClientOptions {
    use_ring();
    ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(CONNECT).with_user_agent(
        object_store::HeaderValue::from_static(concat!("hype/", env!("CARGO_PKG_VERSION"))),
    )
}

/// What is tried again within a request: answers that say so (5xx, 429, 408), lost connections, and
/// bodies that break off.
pub(super) fn retries(options: &StageOptions) -> RetryConfig {
    RetryConfig {
        backoff: backoff(),
        // The time decides.
        max_retries: usize::MAX,
        retry_timeout: options.retry_for(),
    }
}

/// The same for servers that tell a machine who it is.
pub(super) fn metadata_retries(options: &StageOptions) -> RetryConfig {
    RetryConfig { retry_timeout: METADATA.min(options.retry_for()), ..retries(options) }
}

/// The longest that one answer of such a server may take, as the value of a setting.
pub(super) fn metadata_timeout() -> String {
    format!("{}s", METADATA.as_secs())
}

fn backoff() -> BackoffConfig {
    BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(15),
        base: 2.0,
    }
}

/// Refuses an endpoint to which credentials would travel unprotected over a network.
pub(super) fn check_endpoint(stage: &str, name: &str, endpoint: &str) -> Result<(), StageError> {
    let refused = |problem: &str| {
        let message = format!("{name} is `{endpoint}`, which {problem} ({stage})");
        StageError::new(StageErrorKind::Location, message)
    };
    let url = Url::parse(endpoint).map_err(|_| refused("is not a URL"))?;
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => Err(refused("sends credentials over the network unprotected")
            .with_hint("use https://; plain http:// is for servers on this machine")),
        _ => Err(refused("is neither https:// nor http://")),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The error of a client that cannot be made of these variables.
pub(super) fn unusable(stage: &str, error: object_store::Error) -> StageError {
    let message = format!("cannot open {stage} with the variables that are set");
    StageError::because(StageErrorKind::Location, message, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        let check = |endpoint| check_endpoint("s3://b", "AWS_ENDPOINT_URL", endpoint);
        for endpoint in
            ["https://minio:9000", "http://127.0.0.1:9000", "http://localhost", "http://[::1]:1"]
        {
            assert!(check(endpoint).is_ok(), "{endpoint}");
        }
        for endpoint in ["http://minio:9000", "http://10.0.0.1", "ftp://localhost", "minio:9000"] {
            let error = check(endpoint).unwrap_err();
            assert!(error.to_string().contains("AWS_ENDPOINT_URL is `"), "{error}");
        }
    }
}
