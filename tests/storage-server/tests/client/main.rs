//! The server by object_store's client for Google Cloud Storage.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod credentials;
mod remedies;
mod suite;

use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::integration::MarkerHttpConnector;
use object_store::{BackoffConfig, RetryConfig};

/// A client's builder, for this bucket, which tries again as often as usual but soon.
fn client(bucket: &str) -> GoogleCloudStorageBuilder {
    // The client wants cryptography even where it uses none. Another test may have installed it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let soon = std::time::Duration::from_millis(1);
    let backoff = BackoffConfig { init_backoff: soon, max_backoff: soon, base: 2.0 };
    GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_http_connector(MarkerHttpConnector::default())
        .with_retry(RetryConfig { backoff, ..RetryConfig::default() })
}
