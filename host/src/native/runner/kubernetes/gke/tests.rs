//! Tests with descriptions and errors of Google's API.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hype_stage::{GoogleTokens, StageOptions};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::bearer::{Bearer, Tokens};
use super::cluster_name::ClusterName;
use super::endpoints::{Endpoint, EndpointKind};
use crate::error::ErrorKind;

fn cluster_name() -> ClusterName {
    ClusterName::new("my-project", "europe-west1-b", "closures").unwrap()
}

/// A local HTTP server that sends the given responses in order, one for each request.
struct Server {
    url: String,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Server {
    async fn responding(responses: Vec<(u16, Value)>) -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(std::sync::Mutex::new(Vec::new()));
        let received = Arc::clone(&requests);
        tokio::spawn(async move {
            for (status, response) in responses {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (mut request, mut part) = (Vec::new(), [0; 4096]);
                while !request.windows(4).any(|it| it == b"\r\n\r\n") {
                    let read = stream.read(&mut part).await.unwrap();
                    request.extend_from_slice(&part[..read]);
                }
                received.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
                let body = response.to_string();
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n\
                     content-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Returns credentials with `token-1`; after a rejection `token-2` and so on.
fn bearer() -> Bearer {
    let found = AtomicUsize::new(0);
    let find = move || {
        let number = found.fetch_add(1, Ordering::Relaxed) + 1;
        let token: Arc<str> = format!("token-{number}").into();
        let tokens = move || futures::future::ready(Ok(Arc::clone(&token))).boxed();
        Ok(Arc::new(tokens) as Tokens)
    };
    Bearer::from_fn(find).unwrap()
}

fn refusal(code: u16, status: &str, message: &str) -> (u16, Value) {
    (code, json!({"error": {"code": code, "message": message, "status": status}}))
}

#[tokio::test]
async fn api_errors_are_reported_with_googles_text() {
    let not_found = "Not found: projects/my-project/locations/europe-west1-b/clusters/closures.";
    let disabled = "Kubernetes Engine API has not been used in project 123456 before or it is disabled. \
                    Enable it by visiting https://console.developers.google.com/apis/api/container.\
                    googleapis.com/overview?project=123456 then retry.";
    let forbidden = "Required \"container.clusters.get\" permission(s) for \
                     \"projects/my-project/zones/europe-west1-b/clusters/closures\".";
    let stranger = "Request had invalid authentication credentials. Expected OAuth 2 access token, login \
                    cookie or other valid authentication credential.";
    let cluster = "cluster closures of the project my-project in europe-west1-b";
    for (response, kind, message, hint) in [
        (
            refusal(404, "NOT_FOUND", not_found),
            ErrorKind::Input,
            format!("there is no {cluster}"),
            "gcloud container clusters list --project my-project",
        ),
        (
            refusal(403, "PERMISSION_DENIED", disabled),
            ErrorKind::Runner,
            "GKE's API is not enabled in the project my-project".to_owned(),
            "gcloud services enable container.googleapis.com --project my-project",
        ),
        (
            refusal(403, "PERMISSION_DENIED", forbidden),
            ErrorKind::Runner,
            format!("not allowed to look for {cluster}"),
            "roles/container.clusterViewer",
        ),
        (
            refusal(401, "UNAUTHENTICATED", stranger),
            ErrorKind::Runner,
            "Google doesn't take our credentials".to_owned(),
            "gcloud auth application-default login",
        ),
    ] {
        // A rejected token is renewed once.
        let server = Server::responding(vec![response.clone(), response.clone()]).await;
        let error = cluster_name().describe_by(bearer(), &server.url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        let report = error.report();
        let text = response.1["error"]["message"].as_str().unwrap();
        assert!(report.starts_with(&message) && report.contains(text), "{report}");
        assert!(report.split_once("Hint: ").unwrap().1.contains(hint), "{report}");
    }
}

#[tokio::test]
async fn description_is_requested_with_a_token_and_retried() {
    let unavailable = refusal(503, "UNAVAILABLE", "The service is currently unavailable.");
    let server =
        Server::responding(vec![unavailable, (200, json!({"endpoint": "10.0.0.2"}))]).await;
    let described = cluster_name().describe_by(bearer(), &server.url).await.unwrap();
    assert_eq!(described, json!({"endpoint": "10.0.0.2"}));
    let path = "GET /v1/projects/my-project/locations/europe-west1-b/clusters/closures HTTP/1.1";
    assert!(server.requests().iter().all(|it| it.starts_with(path)), "{:?}", server.requests());
    assert!(
        server.requests()[0].contains("authorization: Bearer token-1\r\n"),
        "{:?}",
        server.requests()
    );
}

#[tokio::test]
async fn missing_credentials_are_reported_with_a_hint() {
    let empty = tempfile::tempdir().unwrap();
    let home = empty.path().to_string_lossy().into_owned();
    let missing = format!("{home}/none.json");
    let variables = [("HOME", home), ("GOOGLE_APPLICATION_CREDENTIALS", missing)];
    let options = StageOptions::new().with_variables(variables);
    let error = GoogleTokens::find_with(&options).unwrap_err();
    let report = super::bearer::credentials_error(error).report();
    assert!(report.starts_with("cannot find usable Google credentials"), "{report}");
    assert!(report.contains("none.json cannot be read"), "{report}");
    assert!(report.contains("gcloud auth application-default login"), "{report}");
}

#[tokio::test]
async fn rejected_token_is_renewed_once() {
    let received: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let tokens = Arc::clone(&received);
    let inner = tower::service_fn(move |request: Request<Body>| {
        let tokens = Arc::clone(&tokens);
        async move {
            let token = request.headers()["authorization"].to_str().unwrap().to_owned();
            let status = if token == "Bearer token-1" { 401 } else { 200 };
            tokens.lock().unwrap().push(token);
            let body = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "the body");
            let body = Full::new(bytes::Bytes::new());
            Ok::<_, std::io::Error>(Response::builder().status(status).body(body).unwrap())
        }
    });
    let client = bearer().authorize_client(Client::new(inner, "default"));
    for _ in 0..2 {
        let request = Request::post("/").body(Body::from(b"the body".to_vec())).unwrap();
        assert_eq!(client.send(request).await.unwrap().status(), 200);
    }
    let expected = ["Bearer token-1", "Bearer token-2", "Bearer token-2"];
    assert_eq!(*received.lock().unwrap(), expected);
}

fn all(description: &Value) -> Vec<(EndpointKind, String, bool)> {
    let all = Endpoint::all(description).into_iter();
    all.map(|it| (it.kind, it.address, it.authority.is_some())).collect()
}

#[test]
fn dns_endpoint_precedes_public_and_private_addresses() {
    let authority = json!({"clusterCaCertificate": "LS0t"});
    let owned = str::to_owned;
    // A current cluster.
    let cluster = json!({"endpoint": "34.1.2.3", "masterAuth": authority, "controlPlaneEndpointsConfig": {
        "dnsEndpointConfig": {"endpoint": "gke-1-2.europe-west1.gke.goog", "allowExternalTraffic": true},
        "ipEndpointsConfig": {"enabled": true, "enablePublicEndpoint": true,
            "publicEndpoint": "34.1.2.3", "privateEndpoint": "10.132.0.2"}}});
    assert_eq!(
        all(&cluster),
        [
            (EndpointKind::Name, owned("gke-1-2.europe-west1.gke.goog"), false),
            (EndpointKind::Public, owned("34.1.2.3"), true),
            (EndpointKind::Private, owned("10.132.0.2"), true),
        ]
    );
    // A DNS name for traffic within Google only.
    let cluster = json!({"endpoint": "10.132.0.2", "masterAuth": authority,
        "privateClusterConfig": {"enablePrivateEndpoint": true, "privateEndpoint": "10.132.0.2"},
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"endpoint": "gke-1-2.gke.goog"}}});
    assert_eq!(all(&cluster), [(EndpointKind::Private, owned("10.132.0.2"), true)]);
    // A cluster from before DNS endpoints.
    let cluster = json!({"endpoint": "34.1.2.3", "masterAuth": authority});
    assert_eq!(all(&cluster), [(EndpointKind::Public, owned("34.1.2.3"), true)]);
    let cluster = json!({"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": false}}});
    assert_eq!(all(&cluster), []);
}

#[test]
fn unreachable_error_lists_the_failed_endpoints() {
    let private = json!({"endpoint": "10.132.0.2", "privateClusterConfig":
        {"enablePrivateEndpoint": true}});
    let tried = Endpoint::all(&private).into_iter().map(|it| (it, "timed out".to_owned()));
    let report = cluster_name().unreachable_error(&private, tried.collect()).report();
    assert!(report.contains("private endpoint 10.132.0.2: timed out"), "{report}");
    assert!(
        report.contains("a private endpoint alone: run this program in its network"),
        "{report}"
    );
    let public = json!({"endpoint": "34.1.2.3"});
    let tried = Endpoint::all(&public).into_iter().map(|it| (it, "timed out".to_owned()));
    let report = cluster_name().unreachable_error(&public, tried.collect()).report();
    assert!(report.contains("public endpoint 34.1.2.3: timed out"), "{report}");
    assert!(report.contains("authorized networks"), "{report}");
    let report =
        cluster_name().unreachable_error(&json!({"status": "PROVISIONING"}), Vec::new()).report();
    assert!(report.contains("it is PROVISIONING"), "{report}");
}

#[test]
fn invalid_cluster_name_is_rejected() {
    assert!(ClusterName::new("example.com:project", "europe-west1", "a-1").is_ok());
    for (project, location, cluster) in [("", "l", "c"), ("p", "../l", "c"), ("p", "l", "c?a=b")] {
        let error = ClusterName::new(project, location, cluster).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
    }
}
