//! What the clients of all providers have in common: TLS, time limits, and what is tried again.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, CredentialProvider, ObjectStore, RetryConfig,
};
use url::Url;

use super::credentials::LastResort;
use super::observed::Observed;
use crate::error::{StageError, StageErrorKind};
use crate::options::StageOptions;
use crate::store::Bucket;

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

/// The builder of a provider's client, as all of them have it.
pub(super) trait ClientBuilder: Clone {
    type Key: FromStr;
    type Credential: Send + Sync + 'static;
    type Store: ObjectStore;

    /// The setting that is common to all clients.
    fn common(key: ClientConfigKey) -> Self::Key;
    fn value(&self, key: &Self::Key) -> Option<String>;
    fn with(self, key: Self::Key, value: &str) -> Self;
    fn with_client(self, options: ClientOptions, connector: Observed) -> Self;
    fn with_retries(self, retries: RetryConfig) -> Self;
    fn built(self) -> object_store::Result<Self::Store>;
    fn source(store: &Self::Store) -> Credentials<Self::Credential>;
}

pub(super) type Credentials<C> = Arc<dyn CredentialProvider<Credential = C>>;

/// Implements [`ClientBuilder`] by the methods that all builders have under the same names.
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
                connector: $crate::providers::observed::Observed,
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

/// Sets up `start` for `bucket` with those of the variables that its client knows and that
/// `is_used`. `variables` are the names in lower case, as clients spell their settings.
pub(super) fn configured<'a, B: ClientBuilder>(
    start: B,
    bucket: &Bucket<'_>,
    variables: impl Iterator<Item = (String, &'a str)>,
    is_used: impl Fn(&B::Key) -> bool,
) -> B {
    let start = start
        .with_client(options(), Observed::of(bucket.url, bucket.name))
        .with_retries(retries(bucket.options));
    variables
        .filter_map(|(name, value)| Some((name.parse().ok()?, value)))
        .filter(|(key, _)| is_used(key))
        .fold(start, |builder, (key, value)| builder.with(key, value))
}

/// Opens the bucket that `builder` is set up for.
pub(super) fn opened<B: ClientBuilder>(
    bucket: &Bucket<'_>,
    builder: B,
) -> Result<Arc<dyn ObjectStore>, StageError> {
    let store = builder.built().map_err(|error| unusable(bucket.url, error))?;
    Ok(Arc::new(store))
}

/// Returns the credentials that `builder`'s client would use.
pub(super) fn source_of<B: ClientBuilder>(
    bucket: &Bucket<'_>,
    builder: B,
) -> Result<Credentials<B::Credential>, StageError> {
    let store = builder.built().map_err(|error| unusable(bucket.url, error))?;
    Ok(B::source(&store))
}

/// Returns the credentials of this machine's metadata server. Where there is none, requests fail soon,
/// with the message `missing`.
pub(super) fn machine_credentials<B: ClientBuilder>(
    bucket: &Bucket<'_>,
    builder: &B,
    missing: &'static str,
) -> Result<Credentials<B::Credential>, StageError> {
    let timeout = format!("{}s", METADATA.as_secs());
    let builder = builder
        .clone()
        .with_retries(metadata_retries(bucket.options))
        .with(B::common(ClientConfigKey::Timeout), &timeout);
    Ok(LastResort::new(source_of(bucket, builder)?, missing))
}

/// Checks the endpoints that `builder` has, each with the variable that sets it, and allows plain HTTP
/// to those on this machine.
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
    ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(CONNECT).with_user_agent(
        object_store::HeaderValue::from_static(concat!("hype/", env!("CARGO_PKG_VERSION"))),
    )
}

/// What is tried again within a request: answers that say so (5xx, 429, 408), lost connections, and
/// bodies that break off.
fn retries(options: &StageOptions) -> RetryConfig {
    RetryConfig {
        backoff: backoff(),
        // The time decides.
        max_retries: usize::MAX,
        retry_timeout: options.retry_for(),
    }
}

/// The same for servers that tell a machine who it is.
fn metadata_retries(options: &StageOptions) -> RetryConfig {
    RetryConfig { retry_timeout: METADATA.min(options.retry_for()), ..retries(options) }
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
            .hint("use https://; plain http:// is for servers on this machine")),
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
    StageError::new(StageErrorKind::Location, message).because(error)
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
