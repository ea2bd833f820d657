//! What is answered.

use std::fmt;
use std::io::{self, Read};

use serde::de::DeserializeOwned;

use super::error::{Error, Result};

/// The answer to a request. Its body is read from it, as it comes.
pub struct Response {
    pub(super) url: String,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Box<dyn Read>,
}

impl Response {
    /// The URL that answered, the last of redirects.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its status: `200`, `404`.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first of its headers called `name`, in any case, if that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        let (_, value) = all.find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// All of its headers: name, value.
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }

    /// It, if its status is one of success, 200 to 299.
    ///
    /// # Errors
    ///
    /// When it isn't.
    pub fn error_for_status(self) -> Result<Self> {
        match self.status {
            200..300 => Ok(self),
            status => Err(Error::new(format!("{} answered with status {status}", self.url))),
        }
    }

    /// All of its body.
    ///
    /// # Errors
    ///
    /// When it breaks off.
    pub fn bytes(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.body.read_to_end(&mut bytes).map_err(|error| {
            Error::because(format!("the answer of {} broke off", self.url), error)
        })?;
        Ok(bytes)
    }

    /// All of its body as text.
    ///
    /// # Errors
    ///
    /// When it breaks off, or isn't UTF-8.
    pub fn text(self) -> Result<String> {
        let what = format!("the answer of {} is not UTF-8", self.url);
        String::from_utf8(self.bytes()?).map_err(|error| Error::because(what, error))
    }

    /// What its body says in JSON.
    ///
    /// # Errors
    ///
    /// When it breaks off, or isn't the JSON of a `T`.
    pub fn json<T: DeserializeOwned>(self) -> Result<T> {
        let what = format!("the answer of {} is not the JSON that was expected", self.url);
        serde_json::from_slice(&self.bytes()?).map_err(|error| Error::because(what, error))
    }
}

impl Read for Response {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.body.read(bytes)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} of {})", self.status, self.url)
    }
}
