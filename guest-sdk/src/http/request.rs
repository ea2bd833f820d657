//! Builds and sends requests, and follows redirects.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use serde::Serialize;

use super::error::{Error, Result};
use super::response::Response;
use super::{exchange, url};

/// The default maximum number of redirects.
const DEFAULT_REDIRECTS: u32 = 10;

/// Headers with credentials, which a redirect to another origin must not receive.
const CREDENTIAL_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// A request that is built and sent.
///
/// ```no_run
/// # fn rename() -> hype::http::Result<()> {
/// use std::time::Duration;
///
/// use hype::http::Request;
///
/// // Granted by RunEnvironment::allow_http("api.example.com").
/// let response = Request::new("PUT", "https://api.example.com/users/7")
///     .header("authorization", "Bearer secret")
///     .json(&[("name", "Ada")])
///     .timeout(Duration::from_secs(10))
///     .redirects(0)
///     .send()?;
/// assert_eq!(response.status(), 204);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Request {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Body,
    #[cfg_attr(
        not(target_family = "wasm"),
        expect(dead_code, reason = "no request is sent outside of a closure")
    )]
    pub(super) timeout: Option<Duration>,
    redirects: u32,
    followed: u32,
    problem: Option<Error>,
}

/// The body of a request.
///
/// ```
/// use hype::http::{Body, Request};
///
/// let url = "https://example.com/";
/// let text = Request::new("POST", url).body("hello");
/// let bytes = Request::new("POST", url).body(vec![1, 2, 3]);
/// let stream = Request::new("POST", url).body(Body::Reader(Box::new(std::io::repeat(0))));
/// ```
#[derive(Default)]
pub enum Body {
    /// No body.
    #[default]
    Empty,
    /// A body in memory, sent with its length.
    Bytes(Vec<u8>),
    /// A stream, sent in chunks. A redirect that repeats the body isn't followed.
    Reader(Box<dyn Read>),
}

impl Request {
    /// Creates a request to `url` with a method such as `PUT`.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Body::Empty,
            timeout: None,
            redirects: DEFAULT_REDIRECTS,
            followed: 0,
            problem: None,
        }
    }

    /// Adds a header; headers of the same name are kept.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body: a string, bytes, or [`Body::Reader`].
    #[must_use]
    pub fn body(self, body: impl Into<Body>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Sets the body to `value` as JSON, and adds the header `content-type`.
    #[must_use]
    pub fn json(self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => self.header("content-type", "application/json").body(json),
            Err(error) => {
                let problem = Error::because("the body of the request cannot be JSON", error);
                Self { problem: Some(problem), ..self }
            }
        }
    }

    /// Sets the timeout of each step: connecting, waiting for the head of the response, and waiting for the next part
    /// of its body. The maximum and default are 30 s for connecting and 10 min for the others.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Sets the maximum number of redirects; the default is 10. More redirects are an error; with 0, a redirect is
    /// returned as the response.
    #[must_use]
    pub fn redirects(self, redirects: u32) -> Self {
        Self { redirects, ..self }
    }

    /// Sends the request and returns the response, whatever its status.
    ///
    /// Follows redirects; the environment must grant each target. A redirect to another origin receives no
    /// `authorization`, `cookie` or `proxy-authorization` header.
    ///
    /// # Errors
    ///
    /// If there is no response, the request is invalid, or there are too many redirects.
    pub fn send(mut self) -> Result<Response> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        loop {
            let (next, response) = self.send_once()?;
            match next {
                Some(next) => self = next,
                None => return Ok(response),
            }
        }
    }

    /// Sends the request without following redirects. Returns the response, and the next request if it is a redirect
    /// to follow.
    fn send_once(mut self) -> Result<(Option<Self>, Response)> {
        let repeated = Self {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: Body::Empty,
            ..self
        };
        let kept = match &self.body {
            Body::Bytes(bytes) if self.redirects > 0 => Body::Bytes(bytes.clone()),
            Body::Bytes(_) | Body::Empty => Body::Empty,
            Body::Reader(_) => Body::Reader(Box::new(std::io::empty())),
        };
        self.problem = None;
        let response = exchange::send(self)?;
        let next = repeated.redirected(kept, &response)?;
        Ok((next, response))
    }

    /// Returns the request that follows the redirect `response`, or `None` if it isn't one that can be followed.
    fn redirected(mut self, body: Body, response: &Response) -> Result<Option<Self>> {
        let status = response.status();
        let Some(location) =
            response.header("location").filter(|_| [301, 302, 303, 307, 308].contains(&status))
        else {
            return Ok(None);
        };
        if self.redirects == 0 {
            return Ok(None);
        }
        let becomes_get = match status {
            303 => self.method != "HEAD",
            301 | 302 => self.method == "POST",
            _ => false,
        };
        match (becomes_get, body) {
            (true, _) => {
                self.method = "GET".to_owned();
                self.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
            }
            (false, Body::Reader(_)) => return Ok(None),
            (false, body) => self.body = body,
        }
        let next = url::join(&self.url, location).ok_or_else(|| {
            Error::new(format!("{} redirects to `{location}`, which is not a URL", self.url))
        })?;
        let origin = |url: &str| {
            url::split(url).map(|it| (it.scheme.to_owned(), it.authority.to_ascii_lowercase()))
        };
        if origin(&next) != origin(&self.url) {
            self.headers.retain(|(name, _)| {
                !CREDENTIAL_HEADERS.contains(&name.to_ascii_lowercase().as_str())
            });
        }
        self.url = next;
        self.followed += 1;
        if self.followed > self.redirects {
            return Err(Error::new(format!("too many redirects, the last to {}", self.url)));
        }
        Ok(Some(self))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Bytes(text.into_bytes())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Reader(_) => f.write_str("Reader"),
        }
    }
}
