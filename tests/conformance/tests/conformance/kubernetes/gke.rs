//! A GKE cluster found by its name: simulates Google's API and tokens in front of the real API server.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::cluster::assert_gone;
use super::program::{GuardedBucket, WaitingProgram};

const PATH: &str = "/v1/projects/my-project/locations/europe-west1-b/clusters/closures";

/// Simulated Google API and cluster endpoint, stopped on drop.
struct FakeGoogle {
    api: String,
    tokens: Arc<Tokens>,
    _runtime: tokio::runtime::Runtime,
}

/// The tokens that the storage server issued and that were used.
struct Tokens {
    seen: Mutex<BTreeSet<String>>,
    expired: Mutex<BTreeSet<String>>,
    refusals: watch::Sender<usize>,
    /// The number of times that all connections were closed.
    cuts: watch::Sender<usize>,
}

impl Tokens {
    fn accepts(&self, headers: &HeaderMap) -> bool {
        let token = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        let token = token.unwrap_or_default().to_owned();
        let is_accepted =
            token.starts_with("Bearer issued-") && !self.expired.lock().unwrap().contains(&token);
        self.seen.lock().unwrap().insert(token);
        if !is_accepted {
            self.refusals.send_modify(|count| *count += 1);
        }
        is_accepted
    }

    /// Rejects all tokens used so far, and closes all connections.
    fn expire(&self) {
        self.expired.lock().unwrap().extend(self.seen.lock().unwrap().iter().cloned());
        self.cuts.send_modify(|count| *count += 1);
    }
}

impl FakeGoogle {
    /// Starts in front of the kubeconfig's cluster, with that cluster's certificate.
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let tokens = Arc::new(Tokens {
            seen: Mutex::default(),
            expired: Mutex::default(),
            refusals: watch::Sender::new(0),
            cuts: watch::Sender::new(0),
        });
        let listen = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (api, cluster) = (listen(), listen());
        let authority = std::fs::read(pki("ca.crt")).unwrap();
        let description = json!({"name": "closures", "status": "RUNNING",
            "endpoint": cluster.local_addr().unwrap().to_string(),
            "masterAuth": {"clusterCaCertificate": base64(&authority)}});
        let url = format!("http://{}", api.local_addr().unwrap());
        runtime.spawn(serve_api(api, Arc::clone(&tokens), description));
        runtime.spawn(serve_cluster(cluster, Arc::clone(&tokens)));
        Self { api: url, tokens, _runtime: runtime }
    }
}

fn pki(name: &str) -> String {
    format!("{}/pki/{name}", std::env::var("CLUSTER_DIR").unwrap())
}

fn base64(bytes: &[u8]) -> String {
    let text = serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())).unwrap();
    text.as_str().unwrap().to_owned()
}

async fn serve_api(listener: TcpListener, tokens: Arc<Tokens>, description: Value) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tokens, description) = (Arc::clone(&tokens), description.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let (status, answer) = match request.uri().path() {
                _ if !tokens.accepts(request.headers()) => {
                    (401, google_error(401, "UNAUTHENTICATED", "Request had invalid credentials."))
                }
                PATH => (200, description.clone()),
                path => (404, google_error(404, "NOT_FOUND", &format!("Not found: {path}."))),
            };
            std::future::ready(Ok::<_, kube::Error>(json_of(status, &answer)))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

async fn serve_cluster(listener: TcpListener, tokens: Arc<Tokens>) {
    let client = Client::try_default().await.unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(certificate()));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tokens, client) = (Arc::clone(&tokens), client.clone());
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                forward_all(stream, tokens, client).await;
            }
        });
    }
}

async fn forward_all(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    tokens: Arc<Tokens>,
    client: Client,
) {
    let mut cut = tokens.cuts.subscribe();
    let answer = service_fn(move |request: Request<Incoming>| {
        let (is_accepted, client) = (tokens.accepts(request.headers()), client.clone());
        async move {
            match is_accepted {
                true => forward(&client, request).await,
                false => Ok(json_of(
                    401,
                    &json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                    "status": "Failure", "message": "Unauthorized", "reason": "Unauthorized",
                    "code": 401}),
                )),
            }
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    tokio::select! {
        _ = connection => {}
        _ = cut.changed() => {}
    }
}

async fn forward(client: &Client, request: Request<Incoming>) -> kube::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut forwarded = Request::new(Body::from(body.to_vec()));
    *forwarded.method_mut() = parts.method;
    *forwarded.uri_mut() = parts.uri.path_and_query().unwrap().as_str().parse().unwrap();
    for name in [header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = parts.headers.get(&name) {
            forwarded.headers_mut().insert(name, value.clone());
        }
    }
    let mut response = client.send(forwarded).await?;
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    *response.version_mut() = http::Version::HTTP_11;
    Ok(response)
}

/// Returns the TLS configuration with the real API server's certificate, which is valid for this machine.
fn certificate() -> ServerConfig {
    let certificate = CertificateDer::from_pem_file(pki("apiserver.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(pki("apiserver.key")).unwrap();
    let ring = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
    config.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()
}

fn google_error(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}

fn json_of(status: u16, answer: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.to_string().into_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

#[test]
#[ignore = "needs a Kubernetes cluster: tests/end-to-end/kubernetes starts one"]
fn run_survives_expired_token() {
    let (bucket, google) = (GuardedBucket::new(), FakeGoogle::start());
    let mut program = bucket.program();
    program
        .env("HYPE_TEST_GKE", "1")
        .env("CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER", &google.api)
        .env("HYPE_TEST_STAGE_SECRET", &bucket.secret)
        // The program must not find the cluster by a kubeconfig.
        .env("KUBECONFIG", "/dev/null");
    let waiting = WaitingProgram::start(program);
    let id = waiting.run.clone();
    let refused = *google.tokens.refusals.borrow();
    google.tokens.expire();
    // The runner reconnects its watch with the expired token.
    let mut refusals = google.tokens.refusals.subscribe();
    let again = async { refusals.wait_for(|count| *count > refused).await.map(drop) };
    let again = async { tokio::time::timeout(Duration::from_secs(60), again).await };
    google._runtime.block_on(again).unwrap().unwrap();
    waiting.release();
    assert_eq!(waiting.value(), "gone");
    assert_gone(&id);
    assert!(google.tokens.seen.lock().unwrap().len() >= 2);
}
