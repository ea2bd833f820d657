//! HTTP requests, good and bad.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use hype::http::{Body, Request, Result};
use serde::{Deserialize, Serialize};

/// Status, URL and text of an answer.
pub type Answer = (u16, String, String);

/// Gets a URL.
#[hype::function]
pub fn fetch(url: String) -> Result<Answer> {
    let answer = hype::http::get(url)?;
    Ok((answer.status(), answer.url().to_owned(), answer.text()?))
}

/// Gets URLs one after the other, and gives how many bytes each has, read piece by piece.
#[hype::function]
pub fn count(
    urls: Vec<String>,
) -> std::result::Result<Vec<u64>, Box<dyn std::error::Error + Send + Sync>> {
    let count = |url| Ok(io::copy(&mut hype::http::get(url)?, &mut io::sink())?);
    urls.into_iter().map(count).collect()
}

/// Sends a request with a header and a body, which is read piece by piece.
#[hype::function]
pub fn send(method: String, url: String, header: (String, String), body: String) -> Result<Answer> {
    let body = Body::Reader(Box::new(io::Cursor::new(body)));
    let answer = Request::new(method, url).header(header.0, header.1).body(body).send()?;
    Ok((answer.status(), answer.url().to_owned(), answer.text()?))
}

/// What is sent as JSON.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// What.
    pub item: String,
    /// How many.
    pub count: u32,
}

/// Posts JSON with a token, and gets the same back.
#[hype::function]
pub fn order(url: String, order: Order) -> Result<Order> {
    let request = Request::new("POST", url).header("Authorization", "Bearer token");
    request.json(&order).send()?.error_for_status()?.json()
}

/// Gets a URL whose host may say nothing for so long, and reads the first byte of its body.
#[hype::function]
pub fn first_byte(
    url: String,
    timeout: Duration,
) -> std::result::Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    let mut byte = [0];
    Request::new("GET", url).timeout(timeout).send()?.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Gets a URL so often, and gives the time that each took.
#[hype::function]
pub fn time(url: String, rounds: u32) -> Result<Vec<Duration>> {
    let once = |_| {
        let start = Instant::now();
        hype::http::get(url.as_str())?.bytes().map(|_| start.elapsed())
    };
    (0..rounds).map(once).collect()
}
