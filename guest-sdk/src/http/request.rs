//! What is asked, and the redirects that lead on.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use serde::Serialize;

use super::error::{Error, Result};
use super::response::Response;
use super::{exchange, url};

/// How many redirects are followed unless another number is said.
const REDIRECTS: u32 = 10;

/// Headers that are for one host alone.
const FOR_ONE_HOST: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// A request, to be changed and sent.
#[derive(Debug)]
pub struct Request {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Body,
    #[cfg_attr(
        not(target_family = "wasm"),
        expect(dead_code, reason = "nothing is waited for where nothing is sent")
    )]
    pub(super) timeout: Option<Duration>,
    redirects: u32,
    followed: u32,
    problem: Option<Error>,
}

/// What is sent with a request.
#[derive(Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// These bytes.
    Bytes(Vec<u8>),
    /// What this gives, piece by piece. A redirect that asks for it again isn't followed.
    Reader(Box<dyn Read>),
}

impl Request {
    /// A request for `url` by `method`, such as `PUT`.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Body::Empty,
            timeout: None,
            redirects: REDIRECTS,
            followed: 0,
            problem: None,
        }
    }

    /// With this header beside those that there are.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this body: a string, bytes, or [`Body::Reader`].
    #[must_use]
    pub fn body(self, body: impl Into<Body>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// With `value` as JSON in its body.
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

    /// With so much time for the connection, for the answer's head, and between two pieces of its body.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// With so many redirects that are followed, rather than 10. With 0 a redirect is the answer; else one
    /// more is an error.
    #[must_use]
    pub fn redirects(self, redirects: u32) -> Self {
        Self { redirects, ..self }
    }

    /// The answer, whatever its status. A redirect is followed by a request of its own, which the
    /// environment must grant like any other.
    ///
    /// # Errors
    ///
    /// When there is no answer, or more redirects than are followed.
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

    /// The answer, and what to ask next if it is a redirect to be followed.
    fn send_once(mut self) -> Result<(Option<Self>, Response)> {
        let again = Self {
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
        let next = again.redirected(kept, &response)?;
        Ok((next, response))
    }

    /// This request as the redirect `response` wants it, if it is one that can be followed.
    fn redirected(mut self, body: Body, response: &Response) -> Result<Option<Self>> {
        let status = response.status();
        let Some(location) =
            response.header("location").filter(|_| [301, 302, 303, 307, 308].contains(&status))
        else {
            return Ok(None);
        };
        // Who asks for none wants to see it.
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
            Error::new(format!("{} leads to `{location}`, which is no URL", self.url))
        })?;
        let origin = |url: &str| {
            url::parts(url).map(|it| (it.scheme.to_owned(), it.authority.to_ascii_lowercase()))
        };
        if origin(&next) != origin(&self.url) {
            self.headers
                .retain(|(name, _)| !FOR_ONE_HOST.contains(&name.to_ascii_lowercase().as_str()));
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
