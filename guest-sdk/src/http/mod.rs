//! HTTP requests from inside a closure, to hosts that its environment grants.
//!
//! ```no_run
//! # fn weather() -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
//! // Granted by RunEnvironment::allow_http("api.example.com").
//! let answer = hype::http::get("https://api.example.com/weather")?.error_for_status()?;
//! let weather: String = answer.json()?;
//! # Ok(weather)
//! # }
//! ```
//!
//! A request waits for its answer's head, and the answer is read as it comes. What the environment doesn't
//! grant ends the closure, with a failure that names what would grant it. Outside of a closure each request is
//! an error.
//!
//! - `request`: what is asked, and the redirects that lead on.
//! - `response`: what is answered.
//! - `url`: where a redirect leads.
//! - `exchange`: over `wasi:http`, or natively not at all.

mod error;
#[cfg(target_family = "wasm")]
#[path = "exchange.rs"]
mod exchange;
#[cfg(not(target_family = "wasm"))]
#[path = "outside.rs"]
mod exchange;
mod request;
mod response;
mod url;

pub use error::{Error, Result};
pub use request::{Body, Request};
pub use response::Response;

/// The answer to a GET of `url`, whatever its status.
///
/// # Errors
///
/// When there is none.
pub fn get(url: impl Into<String>) -> Result<Response> {
    Request::new("GET", url).send()
}

/// The answer to a POST of `body` to `url`, whatever its status.
///
/// # Errors
///
/// When there is none.
pub fn post(url: impl Into<String>, body: impl Into<Body>) -> Result<Response> {
    Request::new("POST", url).body(body).send()
}
