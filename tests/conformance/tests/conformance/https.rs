//! HTTPS: server certificates are verified.
//!
//! openssl generated both certificates, valid for a hundred years: `ca.pem` is a certificate authority whose key was
//! deleted, `localhost.pem` is signed by it for the host `localhost`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/https").join(name)
}

fn server() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(here("localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(here("localhost.key")).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}

/// Runs a program that fetches a URL of `host` and trusts the authorities in `roots`. Returns its standard error and
/// the server name that it sent.
fn fetch(host: &str, roots: &Path) -> (String, Option<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{host}:{}/", listener.local_addr().unwrap().port());
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(server()).unwrap(), stream);
        // A client that doesn't trust the certificate disconnects.
        let mut head = [0; 4096];
        let _ = stream.read(&mut head);
        let name = stream.conn.server_name().map(str::to_owned);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret");
        let _ = stream.flush();
        name
    });
    let stage = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ended"))
        .args(["fetch", &url])
        .env("SSL_CERT_FILE", roots)
        .env_remove("SSL_CERT_DIR")
        .env("HYPE_STAGING", format!("file://{}", stage.path().display()))
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stderr).into_owned(), serving.join().expect("a server"))
}

#[test]
fn trusted_certificate_is_accepted() {
    conformance::build_guests();
    let (stderr, name) = fetch("localhost", &here("ca.pem"));
    assert!(stderr.contains("got 200 secret"), "{stderr}");
    assert_eq!(name.as_deref(), Some("localhost"));
}

#[test]
fn untrusted_certificate_is_rejected() {
    conformance::build_guests();
    // The certificate is valid for `localhost` only, and isn't a certificate authority.
    for (host, roots) in [("127.0.0.1", "ca.pem"), ("localhost", "localhost.pem")] {
        let (stderr, _) = fetch(host, &here(roots));
        assert!(stderr.contains("got no answer") && !stderr.contains("secret"), "{stderr}");
    }
}
