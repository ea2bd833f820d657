//! A minimal HTTP client: no retries, no pooling, and access to each byte.

use std::collections::BTreeMap;
use std::io;

use test_storage_server::StorageServer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// One connection.
pub(crate) struct Client(BufReader<TcpStream>);

/// The status and the headers of a response, with header names in lower case.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Head {
    /// Returns a header's value; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Returns the announced length of the body.
    pub(crate) fn length(&self) -> usize {
        self.header("content-length").parse().unwrap_or_default()
    }
}

impl Client {
    pub(crate) async fn connect(server: &StorageServer) -> Self {
        Self(BufReader::new(TcpStream::connect(server.host()).await.unwrap()))
    }

    /// Sends a request: `PUT /bucket/name`, headers, body.
    pub(crate) async fn send(
        &mut self,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        let mut head =
            format!("{line} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        self.0.write_all(&[head.as_bytes(), b"\r\n", body].concat()).await
    }

    /// Receives a response's head.
    pub(crate) async fn head(&mut self) -> io::Result<Head> {
        let status = self.line().await?;
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut head = Head { status: status.unwrap(), headers: BTreeMap::new() };
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else { return Ok(head) };
            head.headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
    }

    /// Receives exactly `count` bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    /// Receives exactly `count` bytes of text.
    pub(crate) async fn read(&mut self, count: usize) -> io::Result<String> {
        Ok(String::from_utf8(self.bytes(count).await?).unwrap())
    }

    /// Sends a request and receives the whole response.
    pub(crate) async fn request(
        &mut self,
        line: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<(Head, String)> {
        self.send(line, headers, body).await?;
        let head = self.head().await?;
        let body = if line.starts_with("HEAD ") { 0 } else { head.length() };
        let body = self.read(body).await?;
        Ok((head, body))
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

/// Sends a request on a new connection and receives the response.
pub(crate) async fn request(
    server: &StorageServer,
    line: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (Head, String) {
    Client::connect(server).await.request(line, headers, body).await.unwrap()
}

/// Sends a request on a new connection and returns the response's status.
pub(crate) async fn status(server: &StorageServer, line: &str, headers: &[(&str, &str)]) -> u16 {
    request(server, line, headers, b"").await.0.status
}
