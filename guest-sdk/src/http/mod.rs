//! Sends HTTP requests from inside a closure, to hosts that its environment grants.
//!
//! ```no_run
//! # fn weather() -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
//! // Granted by RunEnvironment::allow_http("api.example.com").
//! let response = hype::http::get("https://api.example.com/weather")?.error_for_status()?;
//! let weather: String = response.json()?;
//! # Ok(weather)
//! # }
//! ```
//!
//! Sending a request blocks until the head of the response has arrived; the body is streamed. A request to a host
//! that the environment doesn't grant ends the closure with a failure that names the missing grant. Outside of a
//! closure, sending a request is an error.
//!
//! - `request`: builds and sends requests, and follows redirects.
//! - `response`: reads responses.
//! - `url`: splits URLs and resolves redirects.
//! - `exchange`: sends one request over `wasi:http`; natively, all requests fail.

mod error;
#[cfg(target_family = "wasm")]
#[path = "exchange.rs"]
mod exchange;
#[cfg(not(target_family = "wasm"))]
#[path = "unsupported.rs"]
mod exchange;
mod request;
mod response;
mod url;

pub use error::{Error, Result};
pub use request::{Body, Request};
pub use response::Response;

/// Sends a GET request to `url` and returns the response, whatever its status.
///
/// ```no_run
/// # fn page() -> hype::http::Result<()> {
/// // Granted by RunEnvironment::allow_http("example.com").
/// let page = hype::http::get("https://example.com/")?.error_for_status()?.text()?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If there is no response, the URL is invalid, or there are more than 10 redirects.
pub fn get(url: impl Into<String>) -> Result<Response> {
    Request::new("GET", url).send()
}

/// Sends a POST request with `body` to `url` and returns the response, whatever its status.
///
/// ```no_run
/// # fn upload() -> hype::http::Result<()> {
/// // Granted by RunEnvironment::allow_http("example.com").
/// let response = hype::http::post("https://example.com/words", "hello")?;
/// assert_eq!(response.status(), 201);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If there is no response, the URL is invalid, or there are more than 10 redirects.
pub fn post(url: impl Into<String>, body: impl Into<Body>) -> Result<Response> {
    Request::new("POST", url).body(body).send()
}
