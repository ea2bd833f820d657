//! A server on this machine that plays the internet. It listens on loopback alone, or where `HYPE_TEST_HOST` says:
//! at that address containers reach this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A request as it came in.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Method, path, version.
    pub line: String,
    /// Lines of its head, in lower case up to the colon.
    pub headers: Vec<String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Seen {
    /// The value of the header `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ String| line.strip_prefix(&format!("{name}:")).map(str::len);
        let line = self.headers.iter().find(|line| value(line).is_some())?;
        Some(line[name.len() + 1..].trim())
    }
}

type Answer = dyn Fn(&Seen, &mut TcpStream) -> std::io::Result<()> + Send + Sync;

/// A server that answers each request on a connection of its own, until it is dropped.
pub struct Loopback {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Loopback {
    /// One that lets `answer` write the whole answer to each request.
    pub fn start(
        answer: impl Fn(&Seen, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let host = std::env::var("HYPE_TEST_HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stop) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::new(AtomicBool::new(false)));
        let answer: Arc<Answer> = Arc::new(answer);
        let (all, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let serve = move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    if let Some(seen) = read(&stream) {
                        all.lock().unwrap().push(seen.clone());
                        // Whoever asked may be gone.
                        let _ = answer(&seen, &mut stream);
                    }
                });
            }
        };
        Self { address, seen, stop, thread: Some(std::thread::spawn(serve)) }
    }

    /// One that answers each request with this status line and body.
    pub fn saying(status: &'static str, body: &'static str) -> Self {
        Self::start(move |_, stream| {
            stream.write_all(message(status, &[], body.as_bytes()).as_slice())
        })
    }

    /// `HOST:PORT`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Its address.
    pub fn host(&self) -> String {
        self.address.ip().to_string()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A URL of its.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer of this status, headers and body.
pub fn message(status: &str, headers: &[String], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The request on `stream`; none if it breaks off.
fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut seen = Seen { line: line(&mut reader)?, ..Seen::default() };
    loop {
        match line(&mut reader)? {
            end if end.is_empty() => break,
            header => {
                let (name, value) = header.split_once(':')?;
                seen.headers.push(format!("{}:{value}", name.to_ascii_lowercase()));
            }
        }
    }
    if let Some(length) = seen.header("content-length") {
        seen.body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut seen.body).ok()?;
    } else if seen.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = usize::from_str_radix(&line(&mut reader)?, 16).ok()?;
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk).ok()?;
            line(&mut reader)?;
            if size == 0 {
                break;
            }
            seen.body.extend(chunk);
        }
    }
    Some(seen)
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    Some(line.trim_end().to_owned())
}
