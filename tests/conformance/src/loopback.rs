//! An HTTP server for tests. It listens on loopback, or on the address in `HYPE_TEST_HOST`, at which containers reach
//! this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A received request.
#[derive(Debug, Clone, Default)]
pub struct ReceivedRequest {
    /// Method, path, version.
    pub line: String,
    /// The header lines, with names in lower case.
    pub headers: Vec<String>,
    /// The decoded body.
    pub body: Vec<u8>,
}

impl ReceivedRequest {
    /// Returns the value of the header `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ String| line.strip_prefix(&format!("{name}:")).map(str::len);
        let line = self.headers.iter().find(|line| value(line).is_some())?;
        Some(line[name.len() + 1..].trim())
    }
}

type Respond = dyn Fn(&ReceivedRequest, &mut TcpStream) -> std::io::Result<()> + Send + Sync;

/// A server that answers each request on a new connection, until it is dropped.
pub struct Loopback {
    address: SocketAddr,
    received: Arc<Mutex<Vec<ReceivedRequest>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Loopback {
    /// Starts a server that lets `respond` write the whole response to each request.
    pub fn start(
        respond: impl Fn(&ReceivedRequest, &mut TcpStream) -> std::io::Result<()>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let host = std::env::var("HYPE_TEST_HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (received, stop) =
            (Arc::<Mutex<Vec<ReceivedRequest>>>::default(), Arc::new(AtomicBool::new(false)));
        let respond: Arc<Respond> = Arc::new(respond);
        let (all, stopped) = (Arc::clone(&received), Arc::clone(&stop));
        let serve = move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (respond, all) = (Arc::clone(&respond), Arc::clone(&all));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    if let Some(request) = read(&stream) {
                        all.lock().unwrap().push(request.clone());
                        // The client may have disconnected.
                        let _ = respond(&request, &mut stream);
                    }
                });
            }
        };
        Self { address, received, stop, thread: Some(std::thread::spawn(serve)) }
    }

    /// Starts a server that answers each request with this status line and body.
    pub fn replying(status: &'static str, body: &'static str) -> Self {
        Self::start(move |_, stream| {
            stream.write_all(response(status, &[], body.as_bytes()).as_slice())
        })
    }

    /// Returns `HOST:PORT`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Returns the IP address.
    pub fn host(&self) -> String {
        self.address.ip().to_string()
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the URL of `path` on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns all requests received so far.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accept loop.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Builds a response with this status, headers and body.
pub fn response(status: &str, headers: &[String], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Reads a request from `stream`; `None` if the connection ends early.
fn read(stream: &TcpStream) -> Option<ReceivedRequest> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut request = ReceivedRequest { line: line(&mut reader)?, ..ReceivedRequest::default() };
    loop {
        match line(&mut reader)? {
            end if end.is_empty() => break,
            header => {
                let (name, value) = header.split_once(':')?;
                request.headers.push(format!("{}:{value}", name.to_ascii_lowercase()));
            }
        }
    }
    if let Some(length) = request.header("content-length") {
        request.body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut request.body).ok()?;
    } else if request.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = usize::from_str_radix(&line(&mut reader)?, 16).ok()?;
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk).ok()?;
            line(&mut reader)?;
            if size == 0 {
                break;
            }
            request.body.extend(chunk);
        }
    }
    Some(request)
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    Some(line.trim_end().to_owned())
}
