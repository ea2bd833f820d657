//! Closures: functions with bound arguments and a typed result.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use hype_guest::__internal::Value;
use hype_wire::{FunctionRecord, WireError};

use crate::call::component::ComponentFunction;
use crate::call::find;
use crate::call::typed::TypedFunction;
use crate::error::advice::argument_advice;
use crate::error::{Error, Result};
use crate::run::relay::OutputRelay;

/// A function of a component with bound arguments; `T` is the type of its value.
///
/// ```
/// #[hype::function]
/// pub fn example(arg: String) -> String {
///     format!("{arg} world!")
/// }
///
/// # fn main() {
/// assert_eq!(example::call("hello".into()), "hello world!");
/// let closure: hype::Closure<String> = example("hello".into());
/// assert_eq!(closure.function(), "example");
/// # }
/// ```
///
/// A [`Submitter`](crate::Submitter) runs it. Awaiting it uses the submitter and the environment in scope, see
/// [`set_default`](crate::set_default):
///
/// ```no_run
/// # #[hype::function]
/// # fn example(arg: String) -> String { arg }
/// # async fn run(env: hype::RunEnvironment) -> hype::Result<()> {
/// let greeting = example("hello".into()).await?;
/// let another = example("hello".into()).in_env(&env.with_request("cpu", "750m")).await?;
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
#[must_use = "a closure does nothing until it is submitted or awaited"]
pub struct Closure<T> {
    call: Call,
    value: PhantomData<fn() -> T>,
}

/// The call of a closure, without the type of its value.
#[derive(Clone)]
pub(crate) struct Call {
    target: CallTarget,
    arguments: std::result::Result<Bytes, Arc<WireError>>,
    image: Option<String>,
    relay: Option<OutputRelay>,
}

/// The function that a call calls.
#[derive(Clone)]
pub(crate) enum CallTarget {
    /// A function of one of the program's packages. Its component is searched when the closure runs.
    Package(&'static FunctionRecord<'static>),
    /// A function of a loaded component.
    Component(Box<ComponentFunction>),
    /// A function of a component, with the types that the program was compiled with. The component is searched when the
    /// closure runs.
    Typed(&'static TypedFunction),
    /// The function of a run that another process submitted.
    Unknown,
}

impl<T> Closure<T> {
    fn new(target: CallTarget, arguments: std::result::Result<Vec<u8>, WireError>) -> Self {
        let arguments = arguments.map(Bytes::from).map_err(Arc::new);
        Self { call: Call { target, arguments, image: None, relay: None }, value: PhantomData }
    }

    pub(crate) fn of_component(
        function: ComponentFunction,
        arguments: std::result::Result<Vec<u8>, WireError>,
    ) -> Self {
        Self::new(CallTarget::Component(Box::new(function)), arguments)
    }

    pub(crate) fn of_typed(
        function: &'static TypedFunction,
        arguments: std::result::Result<Vec<u8>, WireError>,
    ) -> Self {
        Self::new(CallTarget::Typed(function), arguments)
    }

    /// Changes the encoded arguments.
    pub(crate) fn map_arguments(
        mut self,
        change: impl FnOnce(&[u8]) -> std::result::Result<Vec<u8>, WireError>,
    ) -> Self {
        if let Ok(arguments) = &self.call.arguments {
            self.call.arguments = change(arguments).map(Bytes::from).map_err(Arc::new);
        }
        self
    }

    /// Sets the container image of this closure. It takes precedence over the environment's image.
    ///
    /// ```
    /// # let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// let closure: hype::Closure<u32> = component.function("add")?.bind((1, 2));
    /// assert_eq!(closure.with_image("example.com/hype-run:1").image(), Some("example.com/hype-run:1"));
    /// # hype::Result::Ok(())
    /// ```
    pub fn with_image(mut self, image: impl Into<String>) -> Self {
        self.call.image = Some(image.into());
        self
    }

    /// Returns the function's name.
    ///
    /// ```
    /// # let component = hype::Component::new("empty.wasm", &b"\0asm\x0d\0\x01\0"[..])?;
    /// let closure: hype::Closure<u32> = component.function("add")?.bind((1, 2));
    /// assert_eq!(closure.function(), "add");
    /// # hype::Result::Ok(())
    /// ```
    pub fn function(&self) -> &str {
        self.call.function()
    }

    /// Returns the container image of this closure, if one is set.
    pub fn image(&self) -> Option<&str> {
        self.call.image()
    }

    pub(crate) fn into_call(self) -> Call {
        self.call
    }
}

impl Call {
    /// Returns the call of a run that another process submitted.
    pub(crate) fn unknown() -> Self {
        Self { target: CallTarget::Unknown, arguments: Ok(Bytes::new()), image: None, relay: None }
    }

    /// Returns a call of `target` with these encoded arguments.
    pub(crate) fn of_target(target: CallTarget, arguments: Vec<u8>) -> Self {
        Self { target, arguments: Ok(arguments.into()), image: None, relay: None }
    }

    /// Replaces the encoded arguments.
    pub(crate) fn with_arguments(self, arguments: Bytes) -> Self {
        Self { arguments: Ok(arguments), ..self }
    }

    pub(crate) fn function(&self) -> &str {
        self.target.function()
    }

    pub(crate) fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// Returns the receiver of the output.
    pub(crate) fn relay(&self) -> Option<&OutputRelay> {
        self.relay.as_ref()
    }

    /// Returns whether the value has a WIT type.
    pub(crate) fn has_wit_types(&self) -> bool {
        match &self.target {
            CallTarget::Component(function) => function.wit().is_some(),
            CallTarget::Typed(_) => true,
            CallTarget::Package(_) | CallTarget::Unknown => false,
        }
    }

    /// Finds the called function in its component, and checks its signature or the number of arguments.
    pub(crate) fn component_function(&self) -> Result<ComponentFunction> {
        match &self.target {
            CallTarget::Package(record) => find::component_of(record.package)?.function_of(record),
            CallTarget::Component(function) => {
                self.check_count()?;
                Ok(ComponentFunction::clone(function))
            }
            CallTarget::Typed(function) => function.component_function(),
            CallTarget::Unknown => Err(Error::input("a run of another program cannot be started")),
        }
    }

    /// Returns the call without its arguments, which may be large.
    pub(crate) fn without_arguments(&self) -> Self {
        Self {
            target: self.target.clone(),
            arguments: Ok(Bytes::new()),
            image: self.image.clone(),
            relay: self.relay.clone(),
        }
    }

    /// Returns the size of the encoded arguments, in bytes.
    pub(crate) fn argument_size(&self) -> u64 {
        self.arguments.as_ref().map_or(0, |arguments| arguments.len() as u64)
    }

    /// Returns whether both calls are of the same function. Functions of packages are compared by their records.
    pub(crate) fn has_same_function(&self, other: &Self) -> bool {
        match (&self.target, &other.target) {
            (CallTarget::Package(one), CallTarget::Package(another)) => {
                std::ptr::eq(*one, *another)
            }
            (CallTarget::Typed(one), CallTarget::Typed(another)) => std::ptr::eq(*one, *another),
            (CallTarget::Component(one), CallTarget::Component(another)) => {
                one.name() == another.name()
                    && one.component().digest() == another.component().digest()
            }
            _ => false,
        }
    }

    /// Checks the number of arguments of a function of a loaded component. The compiler checks that of others.
    pub(crate) fn check_count(&self) -> Result<()> {
        match (&self.target, &self.arguments) {
            (CallTarget::Component(function), Ok(arguments)) => function.check_count(arguments),
            _ => Ok(()),
        }
    }

    /// Takes the arguments out of the call: a MessagePack array, which may be too large to clone.
    pub(crate) fn take_arguments(&mut self) -> Result<Bytes> {
        std::mem::replace(&mut self.arguments, Ok(Bytes::new()))
            .map_err(|error| self.argument_error(error))
    }

    /// Checks that the arguments are encoded and that their number is right.
    pub(crate) fn check_arguments(&self) -> Result<()> {
        match &self.arguments {
            Ok(_) => self.check_count(),
            Err(error) => Err(self.argument_error(Arc::clone(error))),
        }
    }

    /// Returns the error of arguments that can't be encoded.
    pub(crate) fn argument_error(&self, error: Arc<WireError>) -> Error {
        let hint = argument_advice(&*error);
        let error = Error::input(format!("the arguments of `{}` cannot be sent", self.function()))
            .because(error);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl CallTarget {
    /// Returns the function's name.
    pub(crate) fn function(&self) -> &str {
        match self {
            Self::Package(record) => record.name,
            Self::Component(function) => match (function.signature(), function.wit()) {
                (Some(closure), _) => &closure.name,
                (None, Some(exported)) => &exported.name,
                (None, None) => function.name(),
            },
            Self::Typed(function) => function.name,
            Self::Unknown => "of another program",
        }
    }
}

impl<T> Clone for Closure<T> {
    fn clone(&self) -> Self {
        Self { call: self.call.clone(), value: PhantomData }
    }
}

impl<T> fmt::Debug for Closure<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Closure({})", self.function())
    }
}

/// Passes the output of the run to `relay` while it runs, in place of the display of its lines.
pub fn relay_output<T>(mut closure: Closure<T>, relay: OutputRelay) -> Closure<T> {
    closure.call.relay = Some(relay);
    closure
}

/// Checks the arguments of a closure as far as that is possible without a run.
///
/// # Errors
///
/// If an argument can't be encoded, or their number is wrong.
pub fn check_arguments<T>(closure: &Closure<T>) -> Result<()> {
    closure.call.check_arguments()
}

/// Creates a closure; called by the code that `#[hype::function]` generates.
pub fn bind<T: Value>(
    record: &'static FunctionRecord<'static>,
    arguments: std::result::Result<Vec<u8>, WireError>,
) -> Closure<T> {
    Closure::new(CallTarget::Package(record), arguments)
}
