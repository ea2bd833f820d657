//! Who may say that they are a host: those whom the system's roots vouch for, as with the stage.

use std::sync::{Arc, LazyLock};

use rustls::ClientConfig;
use rustls::crypto::ring::default_provider;
use rustls_platform_verifier::Verifier;

/// What all connections of this process share. Roots are read when the first one needs them.
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

/// That, or why there is none, such as a system without roots.
pub(super) async fn config() -> std::io::Result<Arc<ClientConfig>> {
    // It reads files.
    let config = tokio::task::spawn_blocking(|| CONFIG.clone()).await?;
    config.map_err(std::io::Error::other)
}
