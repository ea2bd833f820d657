//! Components: their bytes, digests and functions.

mod docs;
mod exports;
mod function;
mod into_function;
mod program;
mod read;
mod sections;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hype_wire::wit::WitFunction;
use hype_wire::{Blob, Digest, Function, FunctionRecord};

pub use crate::call::component::function::ComponentFunction;
pub use crate::call::component::into_function::IntoComponentFunction;

use crate::call::component::exports::ComponentTypes;
use crate::call::component::read::{read, size_problem};
use crate::call::component::sections::Sections;
use crate::error::{Error, Result};

/// A WebAssembly component with functions that closures call. Cloning is cheap.
///
/// ```no_run
/// let component = hype::Component::open("target/hype/greet.wasm")?;
/// for function in component.functions() {
///     println!("{function}");
/// }
/// let closure: hype::Closure<String> = component.function("greet")?.bind(("Ada",));
/// # hype::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Component(Arc<Inner>);

struct Inner {
    name: String,
    bytes: Bytes,
    digest: Digest,
    sections: Sections,
    /// The types of imports and exports, or the reason why they can't be read.
    types: OnceLock<std::result::Result<ComponentTypes, String>>,
}

impl Component {
    /// Reads the component in the file at `path`.
    ///
    /// ```
    /// let error = hype::Component::open("/no/such/x.wasm").unwrap_err();
    /// assert_eq!(error.to_string(), "cannot read the component /no/such/x.wasm");
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the file can't be read or isn't a component.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = read(path).map_err(|error| {
            Error::input(format!("cannot read the component {}", path.display())).because(error)
        })?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Self::new(name, bytes)
    }

    /// Reads the component in `bytes`. Messages call it `name`.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// assert!(hype::Component::new("script.wasm", &b"#!/bin/sh"[..]).is_err());
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when `bytes` isn't a component.
    pub fn new(name: impl Into<String>, bytes: impl Into<Bytes>) -> Result<Self> {
        let (name, bytes) = (name.into(), bytes.into());
        if let Some(problem) = size_problem(bytes.len() as u64) {
            return Err(Error::input(format!("{name} {problem}")));
        }
        let sections = Sections::of(&name, &bytes)?;
        let digest = Digest::of(&bytes);
        Ok(Self(Arc::new(Inner { digest, name, bytes, sections, types: OnceLock::new() })))
    }

    /// Returns the component's name in messages: `wordcount.wasm`.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// assert_eq!(component.name(), "empty.wasm");
    /// # hype::Result::Ok(())
    /// ```
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the component's bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// Returns the BLAKE3 digest of the component's bytes, which names it in the stage.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// assert_eq!(component.digest(), hype::stage::Digest::of(component.bytes()));
    /// # hype::Result::Ok(())
    /// ```
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    pub(crate) fn blob(&self) -> Blob {
        Blob { digest: self.digest(), size: self.bytes().len() as u64 }
    }

    /// Returns the functions that the component lists, in the order of its sources. A component that wasn't written
    /// with hype's SDK lists none.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// assert!(component.functions().is_empty());
    /// # hype::Result::Ok(())
    /// ```
    pub fn functions(&self) -> &[Function] {
        &self.0.sections.functions
    }

    /// Returns the sorted names of the component's imports: `wasi:cli/environment@0.2.6`.
    pub fn imports(&self) -> &[String] {
        &self.0.sections.imports
    }

    /// Returns the names of the component's exports: `spotify:hype/closure@0.1.0`.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// assert!(component.imports().is_empty() && component.exports().is_empty());
    /// # hype::Result::Ok(())
    /// ```
    pub fn exports(&self) -> &[String] {
        &self.0.sections.exports
    }

    /// Returns the functions that the component exports with WIT types, in the order of its exports.
    ///
    /// The component's types are read when they are needed first.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// assert_eq!(component.wit_functions()?.len(), 0);
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the component is invalid.
    pub fn wit_functions(&self) -> Result<&[Arc<WitFunction>]> {
        self.types().map(|types| types.functions.as_slice())
    }

    /// Returns the names of the imports that need no implementation: types, and interfaces without functions.
    pub(crate) fn type_imports(&self) -> Result<&[String]> {
        self.types().map(|types| types.type_imports.as_slice())
    }

    fn types(&self) -> Result<&ComponentTypes> {
        let read = || exports::read(self.bytes()).map_err(|error| error.to_string());
        self.0.types.get_or_init(read).as_ref().map_err(|problem| {
            Error::input(format!("{} is not valid", self.name())).because(problem.clone())
        })
    }

    /// Returns the function called `name`: a closure, or an exported function with WIT types.
    ///
    /// A closure may also be called `PACKAGE::NAME`. A function of an interface is called
    /// `acme:text/stats@1.2.0.top`, or without the version, or just `top`, if only one function has that name.
    /// A component that lists and exports no functions accepts any name.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// assert_eq!(component.function("greet")?.name(), "greet");
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the component has no such function or several, or when hype can't call
    /// it: an async function, or one with resources, streams or futures.
    pub fn function(&self, name: &str) -> Result<ComponentFunction> {
        let named =
            |function: &&Function| function.name == name || function.qualified_name() == name;
        let found: Vec<_> = self.functions().iter().filter(named).collect();
        match *found {
            [only] => return Ok(self.closure(name, Some(only))),
            [] => {}
            _ => return Err(self.ambiguous(name, found.iter().map(|it| it.qualified_name()))),
        }
        let exported = self.wit_functions()?;
        // A function of the world has no longer name, unlike one of an interface.
        let full = |function: &&Arc<WitFunction>| function.reference().to_string() == name;
        if let Some(function) = exported.iter().find(full) {
            return self.exported(function);
        }
        let found: Vec<_> = exported.iter().filter(|function| function.is_called(name)).collect();
        match *found {
            [only] => self.exported(only),
            [] if self.functions().is_empty() && (exported.is_empty() || self.has_closures()) => {
                Ok(self.closure(name, None))
            }
            [] => Err(Error::input(format!(
                "{} has no function `{name}`; it has: {}",
                self.name(),
                self.names()
            ))),
            _ => Err(self.ambiguous(name, found.iter().map(|it| it.reference().to_string()))),
        }
    }

    /// Returns the component's only closure. A component that lists no closures has instead an only function with WIT
    /// types; functions that hype can't call don't count.
    ///
    /// ```no_run
    /// let component = hype::Component::open("target/hype/greet.wasm")?;
    /// let closure: hype::Closure<String> = component.only_function()?.bind(("Ada",));
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it has none or several, or when hype can't call its only function.
    pub fn only_function(&self) -> Result<ComponentFunction> {
        if let [only] = self.functions() {
            return self.function(&only.qualified_name());
        }
        let exported = self.wit_functions()?;
        let mut callable = exported.iter().filter(|function| function.refusal.is_none());
        let only_callable = match (callable.next(), callable.next(), exported) {
            (Some(only), None, _) | (None, None, [only]) => Some(only),
            _ => None,
        };
        match (self.functions(), exported, only_callable) {
            ([], _, Some(only)) if !self.has_closures() => self.exported(only),
            ([], [], _) => Err(Error::input(format!(
                "{} doesn't list its functions: name one with Component::function",
                self.name()
            ))),
            _ => Err(Error::input(format!(
                "{} has several functions: choose with Component::function one of: {}",
                self.name(),
                self.names()
            ))),
        }
    }

    fn closure(&self, name: &str, signature: Option<&Function>) -> ComponentFunction {
        let (component, signature) = (self.clone(), signature.cloned());
        ComponentFunction {
            component,
            name: name.to_owned(),
            signature,
            wit: None,
            is_program: false,
        }
    }

    pub(crate) fn exported(&self, function: &Arc<WitFunction>) -> Result<ComponentFunction> {
        let name = function.reference().to_string();
        if let Some(reason) = &function.refusal {
            return Err(Error::input(format!(
                "`{name}` of {} can't be called: {reason}",
                self.name()
            )));
        }
        let (component, wit) = (self.clone(), Some(Arc::clone(function)));
        Ok(ComponentFunction { component, name, signature: None, wit, is_program: false })
    }

    /// Returns whether the component exports the interface of closures.
    fn has_closures(&self) -> bool {
        self.exports().iter().any(|export| export.starts_with(exports::CLOSURES))
    }

    fn ambiguous(&self, name: &str, candidates: impl Iterator<Item = String>) -> Error {
        let candidates: Vec<_> = candidates.collect();
        let candidates = candidates.join(" or ");
        Error::input(format!("{} has several functions `{name}`: write {candidates}", self.name()))
    }

    /// Returns the function that a program was compiled against, if its signature is unchanged.
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
                return Ok(self.closure(&found.qualified_name(), Some(found)));
            }
        };
        Err(Error::input(problem).hint(format!(
            "build it again from the same sources: cargo hype build -p {}",
            wanted.package
        )))
    }

    fn names(&self) -> String {
        let closures = self.functions().iter().map(|function| function.name.clone());
        let exported = self.wit_functions().unwrap_or_default().iter();
        let exported = exported.map(|function| function.reference().to_string());
        closures.chain(exported).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({} {})", self.name(), self.digest().short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_is_no_component_is_rejected() {
        let module = b"\0asm\x01\0\0\0".to_vec();
        let error = Component::new("x.wasm", module).unwrap_err();
        assert_eq!(error.to_string(), "x.wasm is a WebAssembly module, not yet a component");
        let error = Component::new("x.wasm", &b"#!/bin/sh"[..]).unwrap_err();
        assert_eq!(error.to_string(), "x.wasm is not a WebAssembly component");
        let error = Component::open("/no/such/x.wasm").unwrap_err();
        assert_eq!(error.to_string(), "cannot read the component /no/such/x.wasm");
    }

    #[test]
    fn component_without_function_list_accepts_any_name() {
        let component = Component::new("x.wasm", &b"\0asm\x0d\0\x01\0"[..]).unwrap();
        assert_eq!(component.function("greet").unwrap().name(), "greet");
        let error = component.only_function().unwrap_err();
        assert!(error.to_string().contains("doesn't list its functions"), "{error}");
    }
}
