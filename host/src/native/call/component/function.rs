//! Functions of components, to which arguments are bound.

use std::sync::Arc;

use hype_wire::wit::WitFunction;
use hype_wire::{Function, FunctionRef, WireError, codec};
use serde::de::DeserializeOwned;

use crate::call::arguments::Arguments;
use crate::call::closure::Closure;
use crate::call::component::Component;
use crate::error::{Error, Result};

/// A function of a component. [`Component::function`] returns it.
#[derive(Debug, Clone)]
pub struct ComponentFunction {
    pub(super) component: Component,
    pub(super) name: String,
    pub(super) signature: Option<Function>,
    /// The function's types, if it has WIT types.
    pub(super) wit: Option<Arc<WitFunction>>,
    /// True for the whole program.
    pub(super) is_program: bool,
}

impl ComponentFunction {
    /// Returns the component of the function.
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// Returns the function's name in its component.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the function's signature, if it is a closure that the component lists.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// let function = component.function("greet")?;
    /// assert_eq!(function.component().name(), "empty.wasm");
    /// assert_eq!((function.name(), function.signature()), ("greet", None));
    /// # hype::Result::Ok(())
    /// ```
    pub fn signature(&self) -> Option<&Function> {
        self.signature.as_ref()
    }

    /// Returns the function's signature, if it has WIT types.
    pub fn wit(&self) -> Option<&WitFunction> {
        self.wit.as_deref()
    }

    /// Returns the name by which a call refers to the function.
    pub(crate) fn reference(&self) -> FunctionRef {
        match &self.wit {
            Some(function) => function.reference(),
            None if self.is_program => FunctionRef::Program(self.name.clone()),
            None => FunctionRef::Closure(self.name.clone()),
        }
    }

    /// Binds `arguments`, a tuple, to the function; `T` is the type of its value.
    ///
    /// ```
    /// let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// let closure: hype::Closure<String> = component.function("greet")?.bind(("Ada", 3));
    /// # hype::Result::Ok(())
    /// ```
    pub fn bind<T: DeserializeOwned + 'static>(self, arguments: impl Arguments) -> Closure<T> {
        let bytes = arguments.to_message_pack().and_then(|bytes| self.checked(bytes));
        Closure::of_component(self, bytes)
    }

    /// Checks arguments of WIT types. Closures check theirs when they are called.
    fn checked(&self, arguments: Vec<u8>) -> std::result::Result<Vec<u8>, WireError> {
        match &self.wit {
            Some(function) => {
                let without_texts = function.signature()?.check(&arguments)?;
                Ok(without_texts.unwrap_or(arguments))
            }
            None => Ok(arguments),
        }
    }

    /// Checks that `arguments`, a MessagePack array, has one element for each parameter.
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
