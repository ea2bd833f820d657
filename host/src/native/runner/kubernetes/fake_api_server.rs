//! A fake API server for tests: it keeps Pods and claims, notifies watches of changes, and injects faults.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

type Reply = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// The server. Clones share one state.
#[derive(Clone)]
pub(crate) struct FakeApiServer(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// The number of requests so far.
    request_count: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    /// The resources by kind and name.
    resources: BTreeMap<(String, String), Value>,
    version: u64,
    watches: Vec<(String, mpsc::UnboundedSender<Bytes>)>,
    requests: Vec<String>,
    /// The namespaces in which all requests are denied.
    forbidden: Vec<String>,
    /// The namespace of each request.
    namespaces: Vec<String>,
    /// The faults to inject, each once, into the first request with this prefix.
    faults: VecDeque<(String, Fault)>,
    /// The log of all containers.
    log: String,
    /// The resources and verbs that the user lacks.
    denied: Vec<(String, String)>,
}

/// A fault to inject into a request.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Responds with this status code, reason and message.
    Error(u16, &'static str, &'static str),
    /// Carries out the request, and fails without a response.
    LostResponse,
    /// Fails without a response.
    Disconnect,
    /// Never responds.
    Hang,
}

impl FakeApiServer {
    pub(crate) fn start() -> Self {
        let (state, request_count) = (Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(Inner { state, request_count }))
    }

    pub(crate) fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { server.serve(request).await }
        });
        Client::new(service, "default")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Injects `fault` into the next request that begins with `prefix`, such as `POST pods` or `WATCH pods`.
    pub(crate) fn inject(&self, prefix: &str, fault: Fault) {
        self.state().faults.push_back((prefix.to_owned(), fault));
    }

    /// Denies all requests in this namespace.
    pub(crate) fn forbid(&self, namespace: &str) {
        self.state().forbidden.push(namespace.to_owned());
    }

    /// Returns the requests in order: `POST pods`, `DELETE pods/NAME` and so on.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// Returns the namespaces of the requests that begin with `prefix`.
    pub(crate) fn namespaces(&self, prefix: &str) -> Vec<String> {
        let state = self.state();
        let all = state.requests.iter().zip(&state.namespaces);
        all.filter(|(it, _)| it.starts_with(prefix))
            .map(|(_, namespace)| namespace.clone())
            .collect()
    }

    /// Waits until `count` requests have begun with `prefix`.
    pub(crate) async fn wait_for_requests(&self, prefix: &str, count: usize) {
        let mut request_count = self.0.request_count.subscribe();
        let matching = || self.requests().iter().filter(|it| it.starts_with(prefix)).count();
        request_count.wait_for(|_| matching() >= count).await.unwrap();
    }

    /// Denies `verb` on `resource` in access reviews.
    pub(crate) fn deny(&self, resource: &str, verb: &str) {
        self.state().denied.push((resource.to_owned(), verb.to_owned()));
    }

    /// Appends to the log of all containers.
    pub(crate) fn write(&self, log: &str) {
        self.state().log.push_str(log);
    }

    /// Returns all resources of this kind.
    pub(crate) fn resources(&self, kind: &str) -> Vec<Value> {
        let state = self.state();
        let all = state.resources.iter().filter(|((other, _), _)| other == kind);
        all.map(|(_, resource)| resource.clone()).collect()
    }

    /// Merges `changes` into the only Pod, and notifies watches.
    pub(crate) fn update_pod(&self, changes: &Value) {
        let mut state = self.state();
        let key = state.resources.keys().find(|(kind, _)| kind == "pods").cloned().unwrap();
        let mut pod = state.resources[&key].clone();
        merge(&mut pod, changes);
        state.put(&key, pod, "MODIFIED");
    }

    /// Adds a Pod, as another client would.
    pub(crate) fn add_pod(&self, pod: Value) {
        self.add("pods", pod);
    }

    /// Adds a resource of this kind, as another client would.
    pub(crate) fn add(&self, kind: &str, resource: Value) {
        let name = resource["metadata"]["name"].as_str().unwrap().to_owned();
        self.state().put(&(kind.to_owned(), name), resource, "ADDED");
    }

    /// Replaces a resource without notifying watches, which miss the change.
    pub(crate) fn replace_silently(&self, kind: &str, resource: Value) {
        let name = resource["metadata"]["name"].as_str().unwrap().to_owned();
        self.state().resources.insert((kind.to_owned(), name), resource);
    }

    /// Removes all faults.
    pub(crate) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Removes the only Pod, and notifies watches if `is_notified`.
    pub(crate) fn remove_pod(&self, is_notified: bool) {
        let mut state = self.state();
        let key = state.resources.keys().find(|(kind, _)| kind == "pods").cloned().unwrap();
        let pod = state.resources.remove(&key).unwrap();
        if is_notified {
            state.notify("pods", "DELETED", &pod);
        }
    }

    /// Adds an event about the only Pod.
    pub(crate) fn emit_event(&self, reason: &str, message: &str) {
        let pod = {
            let state = self.state();
            let (_, pod) = state.resources.keys().find(|(kind, _)| kind == "pods").unwrap();
            pod.clone()
        };
        self.emit_event_for(&pod, reason, message);
    }

    /// Adds an event about the Pod `pod`.
    pub(crate) fn emit_event_for(&self, pod: &str, reason: &str, message: &str) {
        let mut state = self.state();
        let name = format!("event-{}", state.version);
        let event = json!({"metadata": {"name": name}, "involvedObject": {"name": pod},
            "reason": reason, "message": message});
        state.put(&("events".to_owned(), name), event, "ADDED");
    }

    /// Ends all watches, after sending the error `status` if given.
    pub(crate) fn end_watches(&self, status: Option<Value>) {
        for (_, watch) in std::mem::take(&mut self.state().watches) {
            if let Some(status) = &status {
                let _ = watch.send(line("ERROR", status));
            }
        }
    }

    async fn serve(&self, request: Request<Body>) -> Result<Reply, std::io::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default();
        let path = resource_path(parts.uri.path());
        let verb = if query.contains("watch=true") { "WATCH" } else { parts.method.as_str() };
        let what = format!("{verb} {}", path.join("/"));
        let namespace = parts.uri.path().split('/').nth(4).unwrap_or_default().to_owned();
        let fault = self.state().take_fault(&what, &namespace);
        let reply = match fault {
            Some(Fault::Error(code, reason, message)) => Ok(error_response(code, reason, message)),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Disconnect) => Err(std::io::Error::other("connection refused")),
            Some(Fault::LostResponse) => {
                self.state().act(verb, &path, &body);
                Err(std::io::Error::other("connection reset"))
            }
            None => Ok(self.state().act(verb, &path, &body)),
        };
        // Recorded after the action, so that waiting tests see its effect.
        self.state().record(what, query, namespace);
        self.0.request_count.send_modify(|request_count| *request_count += 1);
        reply
    }
}

impl State {
    /// Takes the fault for a request, if there is one.
    fn take_fault(&mut self, what: &str, namespace: &str) -> Option<Fault> {
        if self.forbidden.iter().any(|forbidden| forbidden == namespace) {
            return Some(Fault::Error(403, "Forbidden", "you may not look here"));
        }
        let index = self.faults.iter().position(|(begin, _)| what.starts_with(begin.as_str()));
        index.and_then(|index| self.faults.remove(index)).map(|(_, fault)| fault)
    }

    fn record(&mut self, what: String, query: &str, namespace: String) {
        self.namespaces.push(namespace);
        let from = query.split('&').find_map(|part| part.strip_prefix("resourceVersion="));
        let from = from.map_or_else(String::new, |from| format!(" from {from}"));
        self.requests.push(format!("{what}{from}"));
    }

    fn act(&mut self, verb: &str, path: &[String], body: &[u8]) -> Reply {
        let kind = path[0].clone();
        match (verb, path.get(1), path.get(2)) {
            ("GET", None, _) if kind == "version" => {
                let names =
                    ["buildDate", "compiler", "gitCommit", "gitTreeState", "goVersion", "platform"];
                let mut version: Value =
                    names.map(|name| (name.to_owned(), json!(""))).into_iter().collect();
                version["gitVersion"] = "v1.33.0".into();
                version["major"] = "1".into();
                version["minor"] = "33".into();
                json_of(200, &version)
            }
            ("POST", None, _) if kind == "selfsubjectaccessreviews" => self.review(body),
            ("WATCH", ..) => self.watch(&kind),
            ("GET", Some(_), Some(_)) => text(self.log.clone()),
            ("GET", None, _) => {
                let items: Vec<_> = self
                    .resources
                    .iter()
                    .filter(|((other, _), _)| *other == kind)
                    .map(|(_, it)| it)
                    .collect();
                let version = self.version.to_string();
                json_of(200, &json!({"metadata": {"resourceVersion": version}, "items": items}))
            }
            ("GET", Some(name), _) => match self.resources.get(&(kind, name.clone())) {
                Some(resource) => json_of(200, resource),
                None => error_response(404, "NotFound", "not found"),
            },
            ("POST", ..) => {
                let resource: Value = serde_json::from_slice(body).unwrap();
                let name = resource["metadata"]["name"].as_str().unwrap().to_owned();
                let key = (kind, name);
                if self.resources.contains_key(&key) {
                    return error_response(409, "AlreadyExists", "already exists");
                }
                let resource = self.put(&key, resource, "ADDED");
                json_of(201, &resource)
            }
            ("DELETE", Some(name), _) => self.delete(&(kind, name.clone()), body),
            _ => error_response(405, "MethodNotAllowed", "what is that?"),
        }
    }

    /// Answers whether the user has a right.
    fn review(&self, body: &[u8]) -> Reply {
        let mut review: Value = serde_json::from_slice(body).unwrap();
        let attributes = &review["spec"]["resourceAttributes"];
        let text = |name: &str| attributes[name].as_str().unwrap_or_default().to_owned();
        let resource = match text("subresource") {
            subresource if subresource.is_empty() => text("resource"),
            subresource => format!("{}/{subresource}", text("resource")),
        };
        let is_allowed = !self.denied.contains(&(resource, text("verb")));
        review["status"] = json!({"allowed": is_allowed});
        json_of(201, &review)
    }

    /// Deletes a resource, unless it has another UID than the preconditions in `body`.
    fn delete(&mut self, key: &(String, String), body: &[u8]) -> Reply {
        let Some(resource) = self.resources.get(key).cloned() else {
            return error_response(404, "NotFound", "not found");
        };
        let options: Value = serde_json::from_slice(body).unwrap_or_default();
        let wanted = &options["preconditions"]["uid"];
        if !wanted.is_null() && *wanted != resource["metadata"]["uid"] {
            return error_response(409, "Conflict", "Precondition failed: UID in precondition");
        }
        self.resources.remove(key);
        self.notify(&key.0, "DELETED", &resource);
        json_of(200, &resource)
    }

    fn put(&mut self, key: &(String, String), mut resource: Value, event: &str) -> Value {
        self.version += 1;
        resource["metadata"]["resourceVersion"] = self.version.to_string().into();
        if resource["metadata"]["uid"].is_null() {
            resource["metadata"]["uid"] = format!("uid-{}", self.version).into();
        }
        self.resources.insert(key.clone(), resource.clone());
        self.notify(&key.0, event, &resource);
        resource
    }

    fn notify(&mut self, kind: &str, event: &str, resource: &Value) {
        let watches = self.watches.iter().filter(|(other, _)| other == kind);
        watches.for_each(|(_, watch)| drop(watch.send(line(event, resource))));
    }

    fn watch(&mut self, kind: &str) -> Reply {
        let (send, mut events) = mpsc::unbounded_channel();
        // A real server may also repeat past events.
        for (_, resource) in self.resources.iter().filter(|((other, _), _)| other == kind) {
            send.send(line("ADDED", resource)).unwrap();
        }
        self.watches.push((kind.to_owned(), send));
        let events = futures::stream::poll_fn(move |context| events.poll_recv(context));
        let frames =
            futures::StreamExt::map(events, |event| Ok::<_, std::io::Error>(Frame::data(event)));
        Response::new(StreamBody::new(frames).boxed_unsync())
    }
}

/// Returns the parts of a path from the kind of resource on: of `/api/v1/namespaces/NAMESPACE/pods/NAME`, of
/// `/apis/GROUP/v1/KIND`, or of `/version`.
fn resource_path(path: &str) -> Vec<String> {
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let start = match parts[..] {
        ["api", _, "namespaces", _, _, ..] => 4,
        ["api", ..] => 2,
        ["apis", ..] => 3,
        _ => 0,
    };
    parts[start..].iter().map(|part| (*part).to_owned()).collect()
}

fn merge(resource: &mut Value, changes: &Value) {
    match (resource, changes) {
        (Value::Object(resource), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(resource.entry(name.clone()).or_insert(Value::Null), change);
            }
        }
        (resource, change) => *resource = change.clone(),
    }
}

fn line(event: &str, resource: &Value) -> Bytes {
    format!("{}\n", json!({"type": event, "object": resource})).into()
}

fn json_of(status: u16, value: &Value) -> Reply {
    let mut response = text(value.to_string());
    *response.status_mut() = status.try_into().unwrap();
    response
}

fn text(text: String) -> Reply {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    Response::new(body.boxed_unsync())
}

pub(crate) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code})
}

fn error_response(code: u16, reason: &str, message: &str) -> Reply {
    json_of(code, &status(code, reason, message))
}
