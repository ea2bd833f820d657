//! Types that are accepted in place of a function of a component.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::call::component::{Component, ComponentFunction};
use crate::error::Result;

/// A type that [`submit`](crate::submit()) accepts as a component: a path, bytes, a [`Component`] with one function, or
/// one function of a component.
///
/// ```
/// use hype::component::IntoComponentFunction;
///
/// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
/// assert_eq!(component.function("greet").into_component_function()?.name(), "greet");
/// assert!("/no/such/x.wasm".into_component_function().is_err());
/// # hype::Result::Ok(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a component",
    note = "give a path, bytes, a `hype::Component` with exactly one function, or \
            `Component::open(\"x.wasm\")?.function(\"name\")?`"
)]
pub trait IntoComponentFunction {
    /// Returns the function to call.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when there is no such component, or it doesn't list exactly one function.
    fn into_component_function(self) -> Result<ComponentFunction>;
}

impl IntoComponentFunction for ComponentFunction {
    fn into_component_function(self) -> Result<ComponentFunction> {
        Ok(self)
    }
}

impl IntoComponentFunction for Result<ComponentFunction> {
    fn into_component_function(self) -> Result<ComponentFunction> {
        self
    }
}

impl IntoComponentFunction for Component {
    fn into_component_function(self) -> Result<ComponentFunction> {
        self.only_function()
    }
}

impl IntoComponentFunction for &Component {
    fn into_component_function(self) -> Result<ComponentFunction> {
        self.only_function()
    }
}

macro_rules! from_path {
    ($($path:ty),*) => {$(
        impl IntoComponentFunction for $path {
            fn into_component_function(self) -> Result<ComponentFunction> {
                Component::open(self)?.only_function()
            }
        }
    )*};
}

from_path!(&str, String, &Path, PathBuf, &PathBuf);

macro_rules! from_bytes {
    ($($bytes:ty => $convert:expr),*) => {$(
        impl IntoComponentFunction for $bytes {
            fn into_component_function(self) -> Result<ComponentFunction> {
                let convert: fn($bytes) -> Bytes = $convert;
                Component::new("the component", convert(self))?.only_function()
            }
        }
    )*};
}

from_bytes!(
    Vec<u8> => Bytes::from,
    Bytes => |bytes| bytes,
    &[u8] => Bytes::copy_from_slice
);
