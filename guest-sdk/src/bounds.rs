//! Traits that the types in a function's signature must implement, with helpful compiler errors.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type of a parameter. Arguments are sent by value, as MessagePack.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a closure",
    label = "this type cannot cross to where the closure runs",
    note = "arguments cross by value: derive `serde::Serialize` and `serde::Deserialize` if the type is yours; turn on \
            the feature `serde` of its crate if there is one; else use a type of yours that holds its content"
)]
pub trait Argument: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> Argument for T {}

/// A type of a result. Results are sent by value, as MessagePack.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a closure",
    label = "this type cannot cross back from where the closure runs",
    note = "results cross by value: derive `serde::Serialize` and `serde::Deserialize` if the type is yours; turn on \
            the feature `serde` of its crate if there is one; else use a type of yours that holds its content"
)]
pub trait Value: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> Value for T {}

/// The return type of a function that can fail.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not std's `Result`",
    label = "neither `Ok` nor `Err` of std",
    note = "write `#[hype::function(value)]` if it is a value like any other"
)]
pub trait Fallible {
    /// The type of the value on success.
    type Value;
    /// The type of the error.
    type Error;

    /// Converts to the standard library's `Result`.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

/// A type of a function's error, of which the message and the causes are sent back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a closure",
    label = "this error has no message that could cross back",
    note = "implement `std::error::Error + Send + Sync` for it, or return a `String` or `anyhow::Error`"
)]
pub trait FunctionError: Into<Box<dyn std::error::Error + Send + Sync>> {}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> FunctionError for E {}
