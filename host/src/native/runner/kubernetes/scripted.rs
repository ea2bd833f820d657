//! An API server that does what a test says: it keeps Pods and claims, tells of their changes, and
//! answers otherwise where that is asked for.

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

/// The server, and the hand that moves it.
#[derive(Clone)]
pub(crate) struct Scripted(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// How many requests there were so far.
    asked: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    /// By kind and name.
    things: BTreeMap<(String, String), Value>,
    version: u64,
    watches: Vec<(String, mpsc::UnboundedSender<Bytes>)>,
    requests: Vec<String>,
    /// The namespace of each.
    namespaces: Vec<String>,
    /// What is answered instead, once each, to the first request that begins so.
    answers: VecDeque<(String, Answer)>,
    /// What containers wrote.
    log: String,
}

/// What is answered instead.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A status of Kubernetes', with reason and message.
    Refusal(u16, &'static str, &'static str),
    /// Nothing, though the request is carried out.
    Lost,
    /// Nothing.
    Away,
    /// Nothing, and the connection stays.
    Hang,
}

impl Scripted {
    pub(crate) fn start() -> Self {
        let (state, asked) = (Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(Inner { state, asked }))
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

    /// Answers so, once, the next request that begins with `what`: `POST pods`, `WATCH pods`.
    pub(crate) fn answer(&self, what: &str, answer: Answer) {
        self.state().answers.push_back((what.to_owned(), answer));
    }

    /// What was asked, in order: `POST pods`, `DELETE pods/NAME`..
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// The namespaces of the requests that begin with `what`.
    pub(crate) fn namespaces(&self, what: &str) -> Vec<String> {
        let state = self.state();
        let all = state.requests.iter().zip(&state.namespaces);
        all.filter(|(it, _)| it.starts_with(what)).map(|(_, namespace)| namespace.clone()).collect()
    }

    /// Waits until so many requests begin with `what`.
    pub(crate) async fn asked(&self, what: &str, count: usize) {
        let mut asked = self.0.asked.subscribe();
        let begun = || self.requests().iter().filter(|it| it.starts_with(what)).count();
        asked.wait_for(|_| begun() >= count).await.unwrap();
    }

    /// Writes to the log of all containers.
    pub(crate) fn write(&self, log: &str) {
        self.state().log.push_str(log);
    }

    /// What is of this kind.
    pub(crate) fn things(&self, kind: &str) -> Vec<Value> {
        let state = self.state();
        let all = state.things.iter().filter(|((its, _), _)| its == kind);
        all.map(|(_, thing)| thing.clone()).collect()
    }

    /// Adds `changes` to the one Pod and tells of it.
    pub(crate) fn pod(&self, changes: &Value) {
        let mut state = self.state();
        let key = state.things.keys().find(|(kind, _)| kind == "pods").cloned().unwrap();
        let mut pod = state.things[&key].clone();
        merge(&mut pod, changes);
        state.put(&key, pod, "MODIFIED");
    }

    /// Makes a Pod, as somebody else does.
    pub(crate) fn make_pod(&self, pod: Value) {
        self.make("pods", pod);
    }

    /// Makes a thing of this kind, as somebody else does.
    pub(crate) fn make(&self, kind: &str, thing: Value) {
        let name = thing["metadata"]["name"].as_str().unwrap().to_owned();
        self.state().put(&(kind.to_owned(), name), thing, "ADDED");
    }

    /// Answers as it should from now on.
    pub(crate) fn forget_answers(&self) {
        self.state().answers.clear();
    }

    /// Takes the one Pod away, and tells of it if anybody is to know.
    pub(crate) fn take_pod(&self, is_told: bool) {
        let mut state = self.state();
        let key = state.things.keys().find(|(kind, _)| kind == "pods").cloned().unwrap();
        let pod = state.things.remove(&key).unwrap();
        if is_told {
            state.tell("pods", "DELETED", &pod);
        }
    }

    /// Lets an event tell something of the one Pod.
    pub(crate) fn event(&self, reason: &str, message: &str) {
        let pod = {
            let state = self.state();
            let (_, pod) = state.things.keys().find(|(kind, _)| kind == "pods").unwrap();
            pod.clone()
        };
        self.event_of(&pod, reason, message);
    }

    /// Lets an event tell something of the Pod called `pod`.
    pub(crate) fn event_of(&self, pod: &str, reason: &str, message: &str) {
        let mut state = self.state();
        let name = format!("event-{}", state.version);
        let event = json!({"metadata": {"name": name}, "involvedObject": {"name": pod},
            "reason": reason, "message": message});
        state.put(&("events".to_owned(), name), event, "ADDED");
    }

    /// Ends all watches, with this status if there is one.
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
        let path: Vec<_> = parts.uri.path().split('/').skip(5).map(str::to_owned).collect();
        let verb = if query.contains("watch=true") { "WATCH" } else { parts.method.as_str() };
        let what = format!("{verb} {}", path.join("/"));
        let answer = self.state().answer_to(&what);
        let reply = match answer {
            Some(Answer::Refusal(code, reason, message)) => Ok(refusal(code, reason, message)),
            Some(Answer::Hang) => std::future::pending().await,
            Some(Answer::Away) => Err(std::io::Error::other("connection refused")),
            Some(Answer::Lost) => {
                self.state().act(verb, &path, &body);
                Err(std::io::Error::other("connection reset"))
            }
            None => Ok(self.state().act(verb, &path, &body)),
        };
        // Who waits for a request finds what came of it.
        let namespace = parts.uri.path().split('/').nth(4).unwrap_or_default().to_owned();
        self.state().note(what, query, namespace);
        self.0.asked.send_modify(|asked| *asked += 1);
        reply
    }
}

impl State {
    /// What is answered instead.
    fn answer_to(&mut self, what: &str) -> Option<Answer> {
        let index = self.answers.iter().position(|(begin, _)| what.starts_with(begin.as_str()));
        index.and_then(|index| self.answers.remove(index)).map(|(_, answer)| answer)
    }

    fn note(&mut self, what: String, query: &str, namespace: String) {
        self.namespaces.push(namespace);
        let from = query.split('&').find_map(|part| part.strip_prefix("resourceVersion="));
        let from = from.map_or_else(String::new, |from| format!(" from {from}"));
        self.requests.push(format!("{what}{from}"));
    }

    fn act(&mut self, verb: &str, path: &[String], body: &[u8]) -> Reply {
        let kind = path[0].clone();
        match (verb, path.get(1), path.get(2)) {
            ("WATCH", ..) => self.watch(&kind),
            ("GET", Some(_), Some(_)) => text(self.log.clone()),
            ("GET", None, _) => {
                let items: Vec<_> = self
                    .things
                    .iter()
                    .filter(|((its, _), _)| *its == kind)
                    .map(|(_, it)| it)
                    .collect();
                let version = self.version.to_string();
                json_of(200, &json!({"metadata": {"resourceVersion": version}, "items": items}))
            }
            ("GET", Some(name), _) => match self.things.get(&(kind, name.clone())) {
                Some(thing) => json_of(200, thing),
                None => refusal(404, "NotFound", "not found"),
            },
            ("POST", ..) => {
                let thing: Value = serde_json::from_slice(body).unwrap();
                let name = thing["metadata"]["name"].as_str().unwrap().to_owned();
                let key = (kind, name);
                if self.things.contains_key(&key) {
                    return refusal(409, "AlreadyExists", "already exists");
                }
                let thing = self.put(&key, thing, "ADDED");
                json_of(201, &thing)
            }
            ("DELETE", Some(name), _) => match self.things.remove(&(kind.clone(), name.clone())) {
                Some(thing) => {
                    self.tell(&kind, "DELETED", &thing);
                    json_of(200, &thing)
                }
                None => refusal(404, "NotFound", "not found"),
            },
            _ => refusal(405, "MethodNotAllowed", "what is that?"),
        }
    }

    fn put(&mut self, key: &(String, String), mut thing: Value, event: &str) -> Value {
        self.version += 1;
        thing["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.things.insert(key.clone(), thing.clone());
        self.tell(&key.0, event, &thing);
        thing
    }

    fn tell(&mut self, kind: &str, event: &str, thing: &Value) {
        let watches = self.watches.iter().filter(|(its, _)| its == kind);
        watches.for_each(|(_, watch)| drop(watch.send(line(event, thing))));
    }

    fn watch(&mut self, kind: &str) -> Reply {
        let (send, mut events) = mpsc::unbounded_channel();
        // A server may well tell again what it told before.
        for (_, thing) in self.things.iter().filter(|((its, _), _)| its == kind) {
            send.send(line("ADDED", thing)).unwrap();
        }
        self.watches.push((kind.to_owned(), send));
        let events = futures::stream::poll_fn(move |context| events.poll_recv(context));
        let frames =
            futures::StreamExt::map(events, |event| Ok::<_, std::io::Error>(Frame::data(event)));
        Response::new(StreamBody::new(frames).boxed_unsync())
    }
}

fn merge(thing: &mut Value, changes: &Value) {
    match (thing, changes) {
        (Value::Object(thing), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(thing.entry(name.clone()).or_insert(Value::Null), change);
            }
        }
        (thing, change) => *thing = change.clone(),
    }
}

fn line(event: &str, thing: &Value) -> Bytes {
    format!("{}\n", json!({"type": event, "object": thing})).into()
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

fn refusal(code: u16, reason: &str, message: &str) -> Reply {
    json_of(code, &status(code, reason, message))
}
