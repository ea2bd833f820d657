//! Reads responses.

use std::fmt;
use std::io::{self, Read};

use serde::de::DeserializeOwned;

use super::error::{Error, Result};

/// The response to a request.
///
/// Reading it reads the body as it arrives:
///
/// ```no_run
/// # fn save() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// // Granted by RunEnvironment::allow_http("example.com").
/// let mut response = hype::http::get("https://example.com/model.bin")?.error_for_status()?;
/// println!("type: {:?}", response.header("content-type"));
/// std::io::copy(&mut response, &mut std::fs::File::create("/tmp/model.bin")?)?;
/// # Ok(())
/// # }
/// ```
pub struct Response {
    pub(super) url: String,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Box<dyn Read>,
}

impl Response {
    /// Returns the URL of the response, after redirects.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the status code, such as `200` or `404`.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the first header called `name`, compared without case, if its value is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        let (_, value) = all.find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// Returns all headers, as names and values.
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }

    /// Returns the response if its status is 200 to 299.
    ///
    /// # Errors
    ///
    /// If the status is any other.
    pub fn error_for_status(self) -> Result<Self> {
        match self.status {
            200..300 => Ok(self),
            status => Err(Error::new(format!("{} answered with status {status}", self.url))),
        }
    }

    /// Reads the whole body.
    ///
    /// # Errors
    ///
    /// If the body is incomplete.
    pub fn bytes(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.body.read_to_end(&mut bytes).map_err(|error| {
            Error::because(format!("the answer of {} broke off", self.url), error)
        })?;
        Ok(bytes)
    }

    /// Reads the whole body as text.
    ///
    /// # Errors
    ///
    /// If the body is incomplete, or isn't UTF-8.
    pub fn text(self) -> Result<String> {
        let what = format!("the answer of {} is not UTF-8", self.url);
        String::from_utf8(self.bytes()?).map_err(|error| Error::because(what, error))
    }

    /// Reads the whole body and parses it as JSON.
    ///
    /// ```no_run
    /// # fn weather() -> hype::http::Result<()> {
    /// // Granted by RunEnvironment::allow_http("api.example.com").
    /// let temperatures: Vec<f64> = hype::http::get("https://api.example.com/weather")?.json()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the body is incomplete, or isn't the JSON of a `T`.
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
