use std::fmt;

use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::bytes::Bytes;
use crate::section;

/// One call of one function of a [`Job`](crate::Job).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The function to call.
    pub function: FunctionRef,
    /// A MessagePack array with one element for each parameter.
    pub arguments: Payload,
}

impl Call {
    /// Returns a call of the closure that its component knows as `name`.
    pub fn closure(name: impl Into<String>, arguments: Payload) -> Self {
        Self { function: FunctionRef::Closure(name.into()), arguments }
    }
}

/// Names a function of a component.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FunctionRef {
    /// A closure, `PACKAGE::NAME`: `call` of `spotify:hype/closure` calls it by this name.
    Closure(String),
    /// A function that the component exports with WIT types.
    Export {
        /// The interface with its version, `acme:text/stats@1.2.0`; `None` for an export of the world.
        interface: Option<String>,
        /// The function's name in WIT, `top-words`.
        function: String,
    },
}

impl FunctionRef {
    /// Returns the name that people use: of a closure without its package.
    pub fn plain_name(&self) -> &str {
        match self {
            Self::Closure(name) => section::plain_name(name),
            Self::Export { function, .. } => function,
        }
    }
}

impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closure(name) => f.write_str(name),
            Self::Export { interface: Some(interface), function } => {
                write!(f, "{interface}.{function}")
            }
            Self::Export { interface: None, function } => f.write_str(function),
        }
    }
}

/// Bytes of a call: small ones travel along, large ones are staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The bytes themselves.
    Inline(Bytes),
    /// An object of the stage.
    Staged {
        /// The object's name in the stage.
        name: String,
        /// The object's digest and size.
        blob: Blob,
    },
}

impl Payload {
    /// The most bytes that travel along.
    pub const INLINE_LIMIT: usize = 64 << 10;

    /// The most bytes that a payload can have: a guest's memory, of which it is a part, has no more.
    pub const MAX_SIZE: u64 = 4 << 30;

    /// Returns the number of bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Staged { blob, .. } => blob.size,
        }
    }
}
