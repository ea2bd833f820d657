//! TLS: server certificates are verified against the system's root certificates.

use std::sync::{Arc, LazyLock};

use hype_stage::spawn_io;
use rustls::ClientConfig;
use rustls::crypto::ring::default_provider;
use rustls_platform_verifier::Verifier;

/// The TLS configuration of this process. Reads the root certificates at the first use.
static CONFIG: LazyLock<Result<Arc<ClientConfig>, rustls::Error>> = LazyLock::new(|| {
    let provider = Arc::new(default_provider());
    let verifier = Verifier::new(Arc::clone(&provider))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
});

/// Returns the TLS configuration.
///
/// # Errors
///
/// When the system has no root certificates.
pub(super) async fn config() -> std::io::Result<Arc<ClientConfig>> {
    // The first use reads files.
    let config = spawn_io(|| CONFIG.clone()).await?;
    config.map_err(std::io::Error::other)
}
