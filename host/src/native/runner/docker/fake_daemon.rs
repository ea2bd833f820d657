//! A fake Docker daemon for tests: it keeps containers and volumes, and injects faults.

mod container;
pub(crate) mod items;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) use self::container::Container;
use self::container::{ID, inspected, name_of, summary};

/// The daemon. Clones share one state.
#[derive(Clone)]
pub(super) struct FakeDaemon(Arc<Inner>);

struct Inner {
    address: String,
    state: Mutex<State>,
    /// Notified of each change of the state.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    containers: BTreeMap<String, Container>,
    /// The labels of the volumes.
    volumes: BTreeMap<String, Value>,
    /// The version that it reports.
    version: String,
    /// The number of container starts.
    starts: u32,
    requests: Vec<String>,
    /// The containers in which items of maps ran first, by the index of the item.
    ran: BTreeMap<u64, String>,
    /// The items that ran again although the container of their first run was not removed.
    overlapping: BTreeSet<u64>,
    /// The faults to inject, each once, into the first request with this prefix.
    faults: VecDeque<(String, Fault)>,
}

/// A fault to inject into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Responds with this HTTP status.
    Error(u16),
    /// Carries out the request, and closes the connection without a response.
    LostResponse,
    /// Closes the connection without a response.
    Disconnect,
    /// Keeps the connection open without a response.
    Hang,
    /// Closes the connection after this many bytes of the log.
    CutLog(usize),
}

/// A request: its method and path such as `POST containers/create`, query and body.
struct Request {
    target: String,
    query: String,
    body: Value,
}

impl FakeDaemon {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let state = State { version: "28.5.1".to_owned(), ..Default::default() };
        let (state, changed) = (Mutex::new(state), watch::Sender::new(()));
        let daemon = Self(Arc::new(Inner { address, state, changed }));
        let serving = daemon.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let daemon = serving.clone();
                // A client may close the connection.
                tokio::spawn(async move { daemon.serve(stream).await.ok() });
            }
        });
        daemon
    }

    /// Returns the address, in the form of `DOCKER_HOST`.
    pub(super) fn host(&self) -> &str {
        &self.0.address
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Injects `fault` into the next request that begins with `prefix`.
    pub(super) fn inject(&self, prefix: &str, fault: Fault) {
        self.state().faults.push_back((prefix.to_owned(), fault));
    }

    /// Sets the version that the daemon reports.
    pub(super) fn set_version(&self, version: &str) {
        self.state().version = version.to_owned();
    }

    /// Removes all faults.
    pub(super) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// Returns the number of container starts.
    pub(super) fn starts(&self) -> u32 {
        self.state().starts
    }

    /// Returns the indexes of the items that ran again although the container of their first run was not removed.
    pub(super) fn overlapping_items(&self) -> Vec<u64> {
        self.state().overlapping.iter().copied().collect()
    }

    pub(super) fn containers(&self) -> Vec<(String, Container)> {
        self.state().containers.clone().into_iter().collect()
    }

    /// Adds a container, as another client would.
    pub(super) fn add_container(&self, name: &str, container: Container) {
        self.state().containers.insert(name.to_owned(), container);
    }

    /// Adds a volume, as another client would.
    pub(super) fn add_volume(&self, name: &str, labels: Value) {
        self.state().volumes.insert(name.to_owned(), labels);
    }

    /// Returns the names of all volumes.
    pub(super) fn volumes(&self) -> Vec<String> {
        self.state().volumes.keys().cloned().collect()
    }

    pub(super) async fn wait_for_start(&self, name: &str) {
        self.wait_until(|state| state.containers.get(name).is_some_and(|it| it.starts > 0)).await;
    }

    /// Ends the container with this status, after waiting for its start.
    pub(super) async fn end(&self, name: &str, status: i64) {
        self.wait_for_start(name).await;
        self.change(|state| state.containers.get_mut(name).unwrap().status = Some(status));
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.0.changed.send_replace(());
        changed
    }

    /// Waits until `condition` is true.
    async fn wait_until(&self, condition: impl Fn(&State) -> bool) {
        let mut changed = self.0.changed.subscribe();
        changed.wait_for(|()| condition(&self.state())).await.unwrap();
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let request = read(&mut stream).await?;
        let fault = self.change(|state| {
            state.requests.push(request.target.clone());
            let faults = &mut state.faults;
            let index = faults.iter().position(|(begin, _)| request.target.starts_with(begin));
            index.and_then(|index| faults.remove(index)).map(|(_, fault)| fault)
        });
        match fault {
            Some(Fault::Error(status)) => {
                let error = json!({"message": "the daemon broke down"});
                reply(&mut stream, status, &error).await
            }
            Some(Fault::Disconnect) => Ok(()),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::LostResponse) => {
                self.change(|state| state.act(&request));
                Ok(())
            }
            Some(Fault::CutLog(length)) => self.send_log(&mut stream, &request, Some(length)).await,
            None => self.respond(&mut stream, &request).await,
        }
    }

    async fn respond(
        &self,
        stream: &mut BufReader<TcpStream>,
        request: &Request,
    ) -> std::io::Result<()> {
        let ended = async |name: &str| {
            let is_stopped = |it: &Container| it.starts == 0 || it.status.is_some();
            self.wait_until(|state| state.containers.get(name).is_none_or(is_stopped)).await;
        };
        let path: Vec<_> = request.target.split(['/', ' ']).collect();
        match path[..] {
            ["GET", "containers", _, "logs"] => self.send_log(stream, request, None).await,
            ["POST", "containers", name, "attach"] => {
                let name = name_of(name);
                let head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                let mut key = String::new();
                stream.read_line(&mut key).await?;
                let is_started =
                    |state: &State| state.containers.get(name).is_none_or(|it| it.starts > 0);
                self.wait_until(is_started).await;
                let container = self.state().containers.get(name).cloned();
                if container.is_some_and(|it| it.runs_items()) {
                    return self.run_items(stream, name).await;
                }
                ended(name).await;
                Ok(())
            }
            ["POST", "containers", name, "wait"] => {
                let name = name_of(name);
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                ended(name).await;
                let status = self.state().containers.get(name).and_then(|it| it.status);
                let body = json!({"StatusCode": status.unwrap_or_default()});
                stream.write_all(body.to_string().as_bytes()).await
            }
            _ => {
                let (status, body) = self.change(|state| state.act(request));
                reply(stream, status, &body).await
            }
        }
    }
}

impl FakeDaemon {
    /// Sends the output of a container, at most `length` bytes of it, as one frame of Docker's stream.
    async fn send_log(
        &self,
        stream: &mut BufReader<TcpStream>,
        request: &Request,
        length: Option<usize>,
    ) -> std::io::Result<()> {
        let name = request.target.split('/').nth(1).map(name_of).unwrap_or_default();
        let container = self.state().containers.get(name).cloned().unwrap_or_default();
        let output = container.output.as_bytes();
        let sent = &output[..length.unwrap_or(output.len())];
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\
                    Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).await?;
        if !sent.is_empty() {
            stream.write_all(format!("{:x}\r\n", sent.len() + 8).as_bytes()).await?;
            stream.write_all(&[1, 0, 0, 0]).await?;
            stream.write_all(&(sent.len() as u32).to_be_bytes()).await?;
            stream.write_all(sent).await?;
            stream.write_all(b"\r\n").await?;
        }
        // Without the last chunk, the client sees an interruption.
        let end: &[u8] = if length.is_none() { b"0\r\n\r\n" } else { b"" };
        stream.write_all(end).await
    }
}

impl State {
    fn act(&mut self, request: &Request) -> (u16, Value) {
        let path: Vec<_> = request.target.split(['/', ' ']).collect();
        let absent = (404, json!({"message": "no such thing"}));
        match path[..] {
            ["GET", "info"] => {
                (200, json!({"OSType": "linux", "Architecture": "x86_64", "Name": "m", "NCPU": 2}))
            }
            ["GET", "version"] => (200, json!({"Version": self.version})),
            ["GET", "images", ..] => (200, json!({"Config": {"Entrypoint": ["hype-run"]}})),
            ["GET", "containers", "json"] => {
                // Filters by labels are ignored, so only labels that were read back protect a container.
                let is_listed = |it: &Container| {
                    !request.query.contains("volume")
                        || it.volumes().any(|volume| request.query.contains(volume))
                };
                let all = self.containers.iter().filter(|(_, it)| is_listed(it));
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
                (201, json!({"Id": format!("{ID}{name}"), "Warnings": []}))
            }
            ["POST", "containers", name, "start"] => match self.containers.get_mut(name_of(name)) {
                None => absent,
                Some(it) if it.state() == "running" => (304, Value::Null),
                Some(it) => {
                    it.starts += 1;
                    it.status = None;
                    self.starts += 1;
                    (204, Value::Null)
                }
            },
            ["GET", "containers", name, "json"] => match self.containers.get(name_of(name)) {
                None => absent,
                Some(it) => (200, inspected(name_of(name), it)),
            },
            ["GET", "volumes"] => {
                let all = self.volumes.iter().map(|(name, labels)| volume(name, labels));
                (200, json!({"Volumes": all.collect::<Vec<_>>(), "Warnings": []}))
            }
            ["POST", "volumes", "create"] => {
                let name = request.body["Name"].as_str().unwrap().to_owned();
                let labels = self.volumes.entry(name.clone());
                let labels = labels.or_insert_with(|| request.body["Labels"].clone());
                (201, volume(&name, labels))
            }
            ["GET", "volumes", name] => match self.volumes.get(name) {
                None => absent,
                Some(labels) => (200, volume(name, labels)),
            },
            ["DELETE", "volumes", name] => {
                self.volumes.remove(name);
                (204, Value::Null)
            }
            ["DELETE", "containers", name] => match self.containers.remove(name_of(name)) {
                None => absent,
                Some(_) => (204, Value::Null),
            },
            _ => (501, json!({"message": format!("what is {}?", request.target)})),
        }
    }
}

fn volume(name: &str, labels: &Value) -> Value {
    json!({"Name": name, "Driver": "local", "Mountpoint": "/v", "Labels": labels, "Scope": "local",
        "Options": {}})
}

/// Reads a request, and strips the API version from its path.
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
    Ok(Request { target: format!("{method} {path}"), query, body })
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
