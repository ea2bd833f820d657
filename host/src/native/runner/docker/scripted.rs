//! A Docker daemon that does what a test says: it keeps containers and volumes, and answers otherwise where that is asked
//! for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The daemon, and the hand that moves it.
#[derive(Clone)]
pub(super) struct Scripted(Arc<Inner>);

struct Inner {
    address: String,
    state: Mutex<State>,
    /// Told of each change.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    containers: BTreeMap<String, Container>,
    /// How often containers were started.
    starts: u32,
    requests: Vec<String>,
    /// What is answered instead, once each, to the first request that begins so.
    answers: VecDeque<(String, Answer)>,
}

/// A container.
#[derive(Debug, Clone, Default)]
pub(super) struct Container {
    pub(super) body: Value,
    /// How often it was started.
    pub(super) starts: u32,
    /// Its status, once it has ended.
    pub(super) status: Option<i64>,
}

/// What is answered instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// This status.
    Refusal(u16),
    /// Nothing, though the request is carried out.
    Lost,
    /// Nothing.
    CutOff,
    /// Nothing, and the connection stays.
    Hang,
}

/// A request: `POST containers/create`, its query, and its body.
struct Request {
    what: String,
    query: String,
    body: Value,
}

impl Container {
    fn state(&self) -> &'static str {
        match (self.starts, self.status) {
            (0, _) => "created",
            (_, None) => "running",
            (_, Some(_)) => "exited",
        }
    }
}

impl Scripted {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let (state, changed) = (Mutex::default(), watch::Sender::new(()));
        let daemon = Self(Arc::new(Inner { address, state, changed }));
        let serving = daemon.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let daemon = serving.clone();
                // A client that hangs up is no error here.
                tokio::spawn(async move { daemon.serve(stream).await.ok() });
            }
        });
        daemon
    }

    /// Where it listens, as `DOCKER_HOST` says it.
    pub(super) fn host(&self) -> &str {
        &self.0.address
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Answers so, once, the next request that begins with `what`.
    pub(super) fn answer(&self, what: &str, answer: Answer) {
        self.state().answers.push_back((what.to_owned(), answer));
    }

    /// Answers as it should from now on.
    pub(super) fn forget_answers(&self) {
        self.state().answers.clear();
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// How often containers were started.
    pub(super) fn starts(&self) -> u32 {
        self.state().starts
    }

    pub(super) fn containers(&self) -> Vec<(String, Container)> {
        self.state().containers.clone().into_iter().collect()
    }

    /// Makes a container, as somebody else does.
    pub(super) fn make(&self, name: &str, container: Container) {
        self.state().containers.insert(name.to_owned(), container);
    }

    /// Lets the process of the container end with this status once it has been started.
    pub(super) async fn end(&self, name: &str, status: i64) {
        self.changes(|state| state.containers.get(name).is_some_and(|it| it.starts > 0)).await;
        self.change(|state| state.containers.get_mut(name).unwrap().status = Some(status));
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.0.changed.send_replace(());
        changed
    }

    /// Waits until it is so.
    async fn changes(&self, is_so: impl Fn(&State) -> bool) {
        let mut changed = self.0.changed.subscribe();
        changed.wait_for(|()| is_so(&self.state())).await.unwrap();
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let request = read(&mut stream).await?;
        let answer = self.change(|state| {
            state.requests.push(request.what.clone());
            let answers = &mut state.answers;
            let index = answers.iter().position(|(begin, _)| request.what.starts_with(begin));
            index.and_then(|index| answers.remove(index)).map(|(_, answer)| answer)
        });
        match answer {
            Some(Answer::Refusal(status)) => {
                let refusal = json!({"message": "the daemon broke down"});
                reply(&mut stream, status, &refusal).await
            }
            Some(Answer::CutOff) => Ok(()),
            Some(Answer::Hang) => std::future::pending().await,
            Some(Answer::Lost) => {
                self.change(|state| state.act(&request));
                Ok(())
            }
            None => self.answer_to(&mut stream, &request).await,
        }
    }

    async fn answer_to(
        &self,
        stream: &mut BufReader<TcpStream>,
        request: &Request,
    ) -> std::io::Result<()> {
        let ended = async |name: &str| {
            let is_over = |it: &Container| it.starts == 0 || it.status.is_some();
            self.changes(|state| state.containers.get(name).is_none_or(is_over)).await;
        };
        let path: Vec<_> = request.what.split(['/', ' ']).collect();
        match path[..] {
            ["POST", "containers", name, "attach"] => {
                let head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                let mut key = String::new();
                stream.read_line(&mut key).await?;
                let is_started =
                    |state: &State| state.containers.get(name).is_none_or(|it| it.starts > 0);
                self.changes(is_started).await;
                ended(name).await;
                Ok(())
            }
            ["POST", "containers", name, "wait"] => {
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                ended(name).await;
                let status = self.state().containers.get(name).and_then(|it| it.status);
                let told = json!({"StatusCode": status.unwrap_or_default()});
                stream.write_all(told.to_string().as_bytes()).await
            }
            _ => {
                let (status, body) = self.change(|state| state.act(request));
                reply(stream, status, &body).await
            }
        }
    }
}

impl State {
    fn act(&mut self, request: &Request) -> (u16, Value) {
        let path: Vec<_> = request.what.split(['/', ' ']).collect();
        let absent = (404, json!({"message": "no such thing"}));
        match path[..] {
            ["GET", "info"] => {
                (200, json!({"OSType": "linux", "Architecture": "x86_64", "Name": "m"}))
            }
            ["GET", "images", ..] => (200, json!({"Config": {"Entrypoint": ["hype-run"]}})),
            ["GET", "containers", "json"] => {
                let all = self.containers.iter();
                let all = all.filter(|(_, it)| {
                    let labels = it.body["Labels"].as_object().into_iter().flatten();
                    let mut labels =
                        labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
                    labels.any(|label| request.query.contains(&label))
                });
                (200, all.map(|(name, it)| summary(name, it)).collect())
            }
            ["POST", "containers", "create"] => {
                let name = request.query.strip_prefix("name=").unwrap();
                let name = name.split('&').next().unwrap().to_owned();
                if self.containers.contains_key(&name) {
                    return (409, json!({"message": "the name is already in use"}));
                }
                let body = request.body.clone();
                self.containers.insert(name.clone(), Container { body, ..Default::default() });
                (201, json!({"Id": name, "Warnings": []}))
            }
            ["POST", "containers", name, "start"] => match self.containers.get_mut(name) {
                None => absent,
                Some(it) if it.state() == "running" => (304, Value::Null),
                Some(it) => {
                    it.starts += 1;
                    it.status = None;
                    self.starts += 1;
                    (204, Value::Null)
                }
            },
            ["GET", "containers", name, "json"] => match self.containers.get(name) {
                None => absent,
                Some(it) => (200, inspected(name, it)),
            },
            ["GET", "containers", _, "logs"] => (200, Value::Null),
            ["DELETE", "volumes", _] => (204, Value::Null),
            ["DELETE", "containers", name] => match self.containers.remove(name) {
                None => absent,
                Some(_) => (204, Value::Null),
            },
            _ => (501, json!({"message": format!("what is {}?", request.what)})),
        }
    }
}

fn summary(name: &str, container: &Container) -> Value {
    json!({"Id": name, "Names": [format!("/{name}")], "State": container.state(), "Created": 1,
        "Labels": container.body["Labels"]})
}

fn inspected(name: &str, container: &Container) -> Value {
    let state = json!({"Status": container.state(), "Running": container.state() == "running",
        "ExitCode": container.status.unwrap_or_default()});
    let config = json!({"Image": "a/b:1", "Labels": container.body["Labels"]});
    json!({"Id": name, "Name": format!("/{name}"), "State": state, "Config": config})
}

/// Reads a request, whose path is given without the version.
async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Request> {
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).await?;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.trim_start_matches('/');
    let path = path.split_once('/').filter(|(it, _)| it.starts_with("v1")).map_or(path, |it| it.1);
    let query = query.replace("%2F", "/").replace("%3D", "=");
    Ok(Request { what: format!("{method} {path}"), query, body })
}

async fn reply(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    body: &Value,
) -> std::io::Result<()> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}
