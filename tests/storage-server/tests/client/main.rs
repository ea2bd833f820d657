//! Tests of the server with object_store's client for Google Cloud Storage.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod credentials;
mod retries;
mod suite;

use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::integration::MarkerHttpConnector;
use object_store::{BackoffConfig, RetryConfig};

/// Returns the builder of a client for this bucket, with a short backoff.
fn client(bucket: &str) -> GoogleCloudStorageBuilder {
    // The client needs a TLS provider even over plain HTTP. Another test may have installed it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let soon = std::time::Duration::from_millis(1);
    let backoff = BackoffConfig { init_backoff: soon, max_backoff: soon, base: 2.0 };
    GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_http_connector(MarkerHttpConnector::default())
        .with_retry(RetryConfig { backoff, ..RetryConfig::default() })
}
