//! Hosts must show that they are who they are named.
//!
//! Both certificates were made by openssl for a hundred years: `ca.pem` is an authority's whose key is gone,
//! `localhost.pem` what it gave the host `localhost`.

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

/// What a program says that gets a URL of `host` on a system that believes the authorities in `roots`, and the
/// name that the server was asked by.
fn fetch(host: &str, roots: &Path) -> (String, Option<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{host}:{}/", listener.local_addr().unwrap().port());
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(server()).unwrap(), stream);
        // Who doesn't believe us leaves.
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
fn a_host_is_believed_that_the_systems_roots_vouch_for() {
    conformance::build_guests();
    let (said, name) = fetch("localhost", &here("ca.pem"));
    assert!(said.contains("got 200 secret"), "{said}");
    assert_eq!(name.as_deref(), Some("localhost"));
}

#[test]
fn other_hosts_are_not() {
    conformance::build_guests();
    // It is for `localhost`, and not for that address.
    for (host, roots) in [("127.0.0.1", "ca.pem"), ("localhost", "localhost.pem")] {
        let (said, _) = fetch(host, &here(roots));
        assert!(said.contains("got no answer") && !said.contains("secret"), "{said}");
    }
}
