//! HTTP requests, valid and invalid.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use hype::http::{Body, Request, Result};
use serde::{Deserialize, Serialize};

use crate::ends::spin_inside;

/// Status, URL and text of a response.
pub type Answer = (u16, String, String);

/// Gets a URL.
#[hype::function]
pub fn fetch(url: String) -> Result<Answer> {
    let answer = hype::http::get(url)?;
    Ok((answer.status(), answer.url().to_owned(), answer.text()?))
}

/// Fetches URLs one after the other. Returns the length of each body, which is streamed.
#[hype::function]
pub fn count(
    urls: Vec<String>,
) -> std::result::Result<Vec<u64>, Box<dyn std::error::Error + Send + Sync>> {
    let count = |url| Ok(io::copy(&mut hype::http::get(url)?, &mut io::sink())?);
    urls.into_iter().map(count).collect()
}

/// Sends a request with a header and a streamed body.
#[hype::function]
pub fn send(method: String, url: String, header: (String, String), body: String) -> Result<Answer> {
    let body = Body::Reader(Box::new(io::Cursor::new(body)));
    let answer = Request::new(method, url).header(header.0, header.1).body(body).send()?;
    Ok((answer.status(), answer.url().to_owned(), answer.text()?))
}

/// Sends a request with a body of `size` bytes, and computes forever instead of ending the body.
#[hype::function]
pub fn send_then_spin(url: String, size: u64) -> Result<Answer> {
    let body = Body::Reader(Box::new(io::repeat(b'x').take(size).chain(Endless)));
    let answer = Request::new("POST", url).body(body).send()?;
    Ok((answer.status(), answer.url().to_owned(), answer.text()?))
}

/// A reader that computes forever.
struct Endless;

impl Read for Endless {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(spin_inside() as usize)
    }
}

/// A JSON body.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The ordered item.
    pub item: String,
    /// The number of items.
    pub count: u32,
}

/// Posts JSON with a token. Returns the response, which must have the same shape.
#[hype::function]
pub fn order(url: String, order: Order) -> Result<Order> {
    let request = Request::new("POST", url).header("Authorization", "Bearer token");
    request.json(&order).send()?.error_for_status()?.json()
}

/// Fetches a URL with a timeout for each wait. Returns the first byte of its body.
#[hype::function]
pub fn first_byte(
    url: String,
    timeout: Duration,
) -> std::result::Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    let mut byte = [0];
    Request::new("GET", url).timeout(timeout).send()?.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Fetches a URL `rounds` times. Returns the duration of each request.
#[hype::function]
pub fn time(url: String, rounds: u32) -> Result<Vec<Duration>> {
    let once = |_| {
        let start = Instant::now();
        hype::http::get(url.as_str())?.bytes().map(|_| start.elapsed())
    };
    (0..rounds).map(once).collect()
}
