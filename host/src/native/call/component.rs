//! A component: its bytes, its digest, and the functions that it says it has.

mod sections;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hype_wire::{Blob, Digest, Function, FunctionRecord, codec};
use serde::de::DeserializeOwned;

use crate::call::arguments::Arguments;
use crate::call::closure::Closure;
use crate::call::component::sections::Sections;
use crate::error::{Error, Result};

/// A WebAssembly component with functions that can run elsewhere. Cloning is cheap.
#[derive(Clone)]
pub struct Component(Arc<Inner>);

struct Inner {
    name: String,
    bytes: Bytes,
    digest: Digest,
    sections: Sections,
}

impl Component {
    /// The component in the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it can't be read or isn't a component.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| {
            Error::input(format!("cannot read the component {}", path.display())).because(error)
        })?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Self::new(name, bytes)
    }

    /// The component in `bytes`, called `name` in messages.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it isn't a component.
    pub fn new(name: impl Into<String>, bytes: impl Into<Bytes>) -> Result<Self> {
        let (name, bytes) = (name.into(), bytes.into());
        let sections = Sections::of(&name, &bytes)?;
        Ok(Self(Arc::new(Inner { digest: Digest::of(&bytes), name, bytes, sections })))
    }

    /// What it is called in messages: `wordcount.wasm`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    pub(crate) fn blob(&self) -> Blob {
        Blob { digest: self.digest(), size: self.bytes().len() as u64 }
    }

    /// The functions that it says it has, in the order of its sources. Components that weren't written
    /// with hype's SDK say nothing.
    pub fn functions(&self) -> &[Function] {
        &self.0.sections.functions
    }

    /// The names of what it needs of where it runs, sorted: `wasi:cli/environment@0.2.6`.
    pub fn imports(&self) -> &[String] {
        &self.0.sections.imports
    }

    /// The names of what it gives: `spotify:hype/closure@0.1.0`.
    pub fn exports(&self) -> &[String] {
        &self.0.sections.exports
    }

    /// Its function called `name`, or `PACKAGE::NAME` where packages share a name.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it says that it has no such function.
    pub fn function(&self, name: &str) -> Result<ComponentFunction> {
        let named =
            |function: &&Function| function.name == name || function.qualified_name() == name;
        let mut found = self.functions().iter().filter(named);
        let signature = match (found.next(), found.next()) {
            (Some(one), Some(other)) => {
                return Err(Error::input(format!(
                    "{} has two functions `{name}`: write {} or {}",
                    self.name(),
                    one.qualified_name(),
                    other.qualified_name()
                )));
            }
            (None, _) if !self.functions().is_empty() => {
                return Err(Error::input(format!(
                    "{} has no function `{name}`; it has: {}",
                    self.name(),
                    self.names()
                )));
            }
            (signature, _) => signature.cloned(),
        };
        Ok(ComponentFunction { component: self.clone(), name: name.to_owned(), signature })
    }

    /// Its function, if it has just one.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it has none or several.
    pub fn only_function(&self) -> Result<ComponentFunction> {
        match self.functions() {
            [only] => self.function(&only.qualified_name()),
            [] => Err(Error::input(format!(
                "{} doesn't say which functions it has: name one with Component::function",
                self.name()
            ))),
            _ => Err(Error::input(format!(
                "{} has several functions: choose with Component::function one of: {}",
                self.name(),
                self.names()
            ))),
        }
    }

    /// The function that a program was compiled against.
    pub(crate) fn function_of(&self, record: &FunctionRecord<'_>) -> Result<ComponentFunction> {
        let wanted = Function::from(record);
        let found = self
            .functions()
            .iter()
            .find(|function| function.package == wanted.package && function.name == wanted.name);
        let problem = match found {
            None => format!(
                "{} has no function `{}`, which the program calls",
                self.name(),
                wanted.name
            ),
            Some(found) if found.to_string() != wanted.to_string() => {
                format!("{} has `{found}`, and the program calls `{wanted}`", self.name())
            }
            Some(found) => {
                return Ok(ComponentFunction {
                    component: self.clone(),
                    name: found.qualified_name(),
                    signature: Some(found.clone()),
                });
            }
        };
        Err(Error::input(problem).hint(format!(
            "build it again from the same sources: cargo hype build -p {}",
            wanted.package
        )))
    }

    fn names(&self) -> String {
        let names: Vec<_> =
            self.functions().iter().map(|function| function.name.as_str()).collect();
        names.join(", ")
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({} {})", self.name(), self.digest().short())
    }
}

/// A function of a component.
#[derive(Debug, Clone)]
pub struct ComponentFunction {
    component: Component,
    name: String,
    signature: Option<Function>,
}

impl ComponentFunction {
    /// The component that has it.
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// The name by which the component knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the component says of it, if it does.
    pub fn signature(&self) -> Option<&Function> {
        self.signature.as_ref()
    }

    /// It with `arguments`, a tuple, bound; `T` is the type of its value.
    pub fn bind<T: DeserializeOwned + 'static>(self, arguments: impl Arguments) -> Closure<T> {
        let bytes = arguments.to_message_pack();
        Closure::of_component(self, bytes)
    }

    /// Makes sure that `arguments`, a MessagePack array, has one element for each parameter.
    pub(crate) fn check_count(&self, arguments: &[u8]) -> Result<()> {
        let Some(signature) = &self.signature else {
            return Ok(());
        };
        let (given, _) = codec::split_array_head(arguments)?;
        let wanted = signature.parameters.len();
        if given as usize == wanted {
            return Ok(());
        }
        Err(Error::input(format!(
            "`{signature}` takes {wanted} {}, and {given} {} given",
            if wanted == 1 { "argument" } else { "arguments" },
            if given == 1 { "was" } else { "were" },
        )))
    }
}

/// What [`submit`](crate::submit) takes as a component: a path, bytes, a [`Component`] with one
/// function, or one function of a component.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a component",
    note = "give a path, bytes, a `hype::Component` with exactly one function, or \
            `Component::open(\"x.wasm\")?.function(\"name\")?`"
)]
pub trait IntoComponentFunction {
    /// The function to call.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when there is no component or not just one function.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_says_what_it_is() {
        let module = b"\0asm\x01\0\0\0".to_vec();
        let error = Component::new("x.wasm", module).unwrap_err();
        assert_eq!(error.to_string(), "x.wasm is a WebAssembly module, not yet a component");
        let error = Component::new("x.wasm", &b"#!/bin/sh"[..]).unwrap_err();
        assert_eq!(error.to_string(), "x.wasm is not a WebAssembly component");
        let error = Component::open("/no/such/x.wasm").unwrap_err();
        assert_eq!(error.to_string(), "cannot read the component /no/such/x.wasm");
    }

    #[test]
    fn a_silent_component_takes_any_name() {
        let component = Component::new("x.wasm", &b"\0asm\x0d\0\x01\0"[..]).unwrap();
        assert_eq!(component.function("greet").unwrap().name(), "greet");
        let error = component.only_function().unwrap_err();
        assert!(error.to_string().contains("doesn't say which functions"), "{error}");
    }
}
