//! The common configuration of all providers' clients: TLS, timeouts and retries.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, CredentialProvider, ObjectStore, RetryConfig,
};
use url::Url;

use super::credentials::MachineCredentials;
use super::observed::ObservedConnector;
use crate::error::{StageError, StageErrorKind};
use crate::options::StageOptions;
use crate::store::Bucket;

/// The timeout of one request and its response. Up to eight 8 MiB parts of an upload share the bandwidth.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// The timeout of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The retry time and the request timeout of a metadata server. A metadata server may need some seconds after
/// the Pod has started; without one, requests should fail soon.
const METADATA_TIMEOUT: Duration = Duration::from_secs(4);

/// Installs ring as the cryptography of TLS.
pub(crate) fn use_ring() {
    // An error means that the program has installed another provider, which is kept.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The common interface of the builders of the providers' clients.
pub(super) trait ClientBuilder: Clone {
    type Key: FromStr;
    type Credential: Send + Sync + 'static;
    type Store: ObjectStore;

    /// Returns the key of a setting that all clients have.
    fn common(key: ClientConfigKey) -> Self::Key;
    fn value(&self, key: &Self::Key) -> Option<String>;
    fn with(self, key: Self::Key, value: &str) -> Self;
    fn with_client(self, options: ClientOptions, connector: ObservedConnector) -> Self;
    fn with_retries(self, retries: RetryConfig) -> Self;
    fn built(self) -> object_store::Result<Self::Store>;
    fn source(store: &Self::Store) -> Credentials<Self::Credential>;
}

pub(super) type Credentials<C> = Arc<dyn CredentialProvider<Credential = C>>;

/// Implements [`ClientBuilder`] by the builders' methods of the same names.
macro_rules! client_builder {
    ($builder:ty, $key:ty, $credential:ty, $store:ty) => {
        impl $crate::providers::client::ClientBuilder for $builder {
            type Key = $key;
            type Credential = $credential;
            type Store = $store;

            fn common(key: object_store::ClientConfigKey) -> Self::Key {
                <$key>::Client(key)
            }

            fn value(&self, key: &Self::Key) -> Option<String> {
                self.get_config_value(key)
            }

            fn with(self, key: Self::Key, value: &str) -> Self {
                self.with_config(key, value)
            }

            fn with_client(
                self,
                options: object_store::ClientOptions,
                connector: $crate::providers::observed::ObservedConnector,
            ) -> Self {
                self.with_client_options(options).with_http_connector(connector)
            }

            fn with_retries(self, retries: object_store::RetryConfig) -> Self {
                self.with_retry(retries)
            }

            fn built(self) -> object_store::Result<Self::Store> {
                self.build()
            }

            fn source(
                store: &Self::Store,
            ) -> $crate::providers::client::Credentials<Self::Credential> {
                std::sync::Arc::clone(store.credentials())
            }
        }
    };
}
pub(super) use client_builder;

/// Configures the builder `start` for `bucket` with the variables that are settings of the client and that
/// `is_used` accepts. The names in `variables` are in lower case, like the client's settings.
pub(super) fn configured<'a, B: ClientBuilder>(
    start: B,
    bucket: &Bucket<'_>,
    variables: impl Iterator<Item = (String, &'a str)>,
    is_used: impl Fn(&B::Key) -> bool,
) -> B {
    let start = start
        .with_client(options(), ObservedConnector::of(bucket.url, bucket.name))
        .with_retries(retries(bucket.options));
    variables
        .filter_map(|(name, value)| Some((name.parse().ok()?, value)))
        .filter(|(key, _)| is_used(key))
        .fold(start, |builder, (key, value)| builder.with(key, value))
}

/// Opens the bucket of the configured `builder`.
pub(super) fn opened<B: ClientBuilder>(
    bucket: &Bucket<'_>,
    builder: B,
) -> Result<Arc<dyn ObjectStore>, StageError> {
    let store = builder.built().map_err(|error| unusable(bucket.url, error))?;
    Ok(Arc::new(store))
}

/// Returns the credentials of `builder`'s client.
pub(super) fn source_of<B: ClientBuilder>(
    bucket: &Bucket<'_>,
    builder: B,
) -> Result<Credentials<B::Credential>, StageError> {
    let store = builder.built().map_err(|error| unusable(bucket.url, error))?;
    Ok(B::source(&store))
}

/// Returns the credentials of this machine's metadata server. Without one, requests fail within seconds with
/// the message `missing`.
pub(super) fn machine_credentials<B: ClientBuilder>(
    bucket: &Bucket<'_>,
    builder: &B,
    missing: &'static str,
) -> Result<Credentials<B::Credential>, StageError> {
    let timeout = format!("{}s", METADATA_TIMEOUT.as_secs());
    let builder = builder
        .clone()
        .with_retries(metadata_retries(bucket.options))
        .with(B::common(ClientConfigKey::Timeout), &timeout);
    Ok(MachineCredentials::new(source_of(bucket, builder)?, missing))
}

/// Checks the endpoints of `builder`, given with the variables that set them, and allows plain HTTP to
/// endpoints on this machine.
pub(super) fn with_checked_endpoints<B: ClientBuilder>(
    bucket: &Bucket<'_>,
    builder: B,
    endpoints: &[(B::Key, &str)],
) -> Result<B, StageError> {
    let mut is_plain = false;
    for (key, name) in endpoints {
        if let Some(endpoint) = builder.value(key) {
            check_endpoint(bucket.url, name, &endpoint)?;
            is_plain |= endpoint.starts_with("http://");
        }
    }
    Ok(match is_plain {
        true => builder.with(B::common(ClientConfigKey::AllowHttp), "true"),
        false => builder,
    })
}

fn options() -> ClientOptions {
    use_ring();
    ClientOptions::new()
        .with_timeout(REQUEST_TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_user_agent(object_store::HeaderValue::from_static(concat!(
            "hype/",
            env!("CARGO_PKG_VERSION")
        )))
}

/// Returns the client's retry policy: it retries status codes 5xx, 429 and 408, lost connections and
/// truncated bodies.
fn retries(options: &StageOptions) -> RetryConfig {
    RetryConfig {
        backoff: backoff(),
        // Only the time limits retries.
        max_retries: usize::MAX,
        retry_timeout: options.retry_for(),
    }
}

/// Returns the retry policy for metadata servers.
fn metadata_retries(options: &StageOptions) -> RetryConfig {
    RetryConfig { retry_timeout: METADATA_TIMEOUT.min(options.retry_for()), ..retries(options) }
}

fn backoff() -> BackoffConfig {
    BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(15),
        base: 2.0,
    }
}

/// Rejects an endpoint to which credentials would be sent over a network without TLS.
pub(super) fn check_endpoint(stage: &str, name: &str, endpoint: &str) -> Result<(), StageError> {
    let invalid = |problem: &str| {
        let message = format!("{name} is `{endpoint}`, which {problem} ({stage})");
        StageError::new(StageErrorKind::Location, message)
    };
    let url = Url::parse(endpoint).map_err(|_| invalid("is not a URL"))?;
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => Err(invalid("sends credentials over the network unprotected")
            .hint("use https://; plain http:// is for servers on this machine")),
        _ => Err(invalid("is neither https:// nor http://")),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Returns the error of a client that can't be built from the variables.
pub(super) fn unusable(stage: &str, error: object_store::Error) -> StageError {
    let message = format!("cannot open {stage} with the variables that are set");
    StageError::new(StageErrorKind::Location, message).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_limited_to_loopback() {
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
