use std::fmt;

use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::bytes::Bytes;
use crate::section;

/// A call of one function of a [`Job`](crate::Job)'s component.
///
/// ```
/// use hype_wire::{Bytes, Call, Payload, codec};
///
/// let mut arguments = codec::array_head(1);
/// codec::append(&mut arguments, "world")?;
/// let call = Call::closure("greeter::greet", Payload::Inline(Bytes(arguments)));
/// assert_eq!(call.function.plain_name(), "greet");
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The function to call.
    pub function: FunctionRef,
    /// A MessagePack array with one element for each parameter, or the beginning of it.
    pub arguments: Payload,
    /// The parts of the array that follow `arguments`, if it is not in one part. The value of another run is a part of its
    /// own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Payload>,
}

impl Call {
    /// Creates a call.
    pub fn new(function: FunctionRef, arguments: Payload) -> Self {
        Self { function, arguments, more: Vec::new() }
    }

    /// Creates a call of the closure `name`, which is `PACKAGE::NAME`.
    pub fn closure(name: impl Into<String>, arguments: Payload) -> Self {
        Self::new(FunctionRef::Closure(name.into()), arguments)
    }

    /// Returns the parts of the arguments, which form one MessagePack array together.
    ///
    /// ```
    /// use hype_wire::{Bytes, Call, Payload};
    ///
    /// let part = |bytes: &[u8]| Payload::Inline(Bytes(bytes.to_vec()));
    /// let mut call = Call::closure("greeter::greet", part(&[0x92, 1]));
    /// call.more.push(part(&[2]));
    /// assert_eq!(call.parts().map(Payload::size).sum::<u64>(), 3);
    /// ```
    pub fn parts(&self) -> impl Iterator<Item = &Payload> {
        std::iter::once(&self.arguments).chain(&self.more)
    }
}

/// The name of a function of a component.
///
/// ```
/// use hype_wire::FunctionRef;
///
/// let closure = FunctionRef::Closure("wordcount::count".to_owned());
/// assert_eq!(closure.plain_name(), "count");
/// let export = FunctionRef::Export {
///     interface: Some("acme:text/stats@1.2.0".to_owned()),
///     function: "top-words".to_owned(),
/// };
/// assert_eq!(export.to_string(), "acme:text/stats@1.2.0.top-words");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FunctionRef {
    /// A closure, `PACKAGE::NAME`, called through `call` of `spotify:hype/closure`.
    Closure(String),
    /// A function that the component exports with WIT types.
    Export {
        /// The interface and its version, `acme:text/stats@1.2.0`; `None` for an export of the world.
        interface: Option<String>,
        /// The function's name in WIT, `top-words`.
        function: String,
    },
    /// The whole program, `run` of `wasi:cli/run`, under the name that it gets as its first argument. Its
    /// arguments are [`ProgramArguments`](crate::ProgramArguments), and its value is a
    /// [`ProgramOutput`](crate::ProgramOutput).
    Program(String),
}

impl FunctionRef {
    /// Returns the function's name, without the package or the interface.
    pub fn plain_name(&self) -> &str {
        match self {
            Self::Closure(name) => section::plain_name(name),
            Self::Export { function, .. } => function,
            Self::Program(name) => name,
        }
    }
}

impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closure(name) | Self::Program(name) => f.write_str(name),
            Self::Export { interface: Some(interface), function } => {
                write!(f, "{interface}.{function}")
            }
            Self::Export { interface: None, function } => f.write_str(function),
        }
    }
}

/// The bytes of arguments or of a value: inline if they are small, else in an object of the stage.
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
    /// The maximum size of an inline payload, in bytes.
    pub const INLINE_LIMIT: usize = 64 << 10;

    /// The maximum size of a payload, in bytes. A payload has to fit into the guest's memory.
    pub const MAX_SIZE: u64 = 4 << 30;

    /// Returns the size of the payload, in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Staged { blob, .. } => blob.size,
        }
    }
}
