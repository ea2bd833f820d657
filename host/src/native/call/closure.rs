//! A function with its arguments bound and its result typed.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use hype_guest::__internal::Value;
use hype_wire::{FunctionRecord, WireError};

use crate::call::component::ComponentFunction;
use crate::call::find;
use crate::error::advice::argument_advice;
use crate::error::{Error, Result};

/// A function of a component with its arguments bound; `T` is the type of its value.
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
/// It runs where a [`Submitter`](crate::Submitter) runs it. Awaiting it uses the submitter and the
/// environment that are in scope (see [`set_default`](crate::set_default)):
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

/// What a closure calls, whatever the type of its value.
#[derive(Clone)]
pub(crate) struct Call {
    source: Source,
    arguments: std::result::Result<Bytes, Arc<WireError>>,
    image: Option<String>,
}

#[derive(Clone)]
enum Source {
    /// A function of the program's own packages, whose component is yet to be found.
    Package(&'static FunctionRecord<'static>),
    /// A function of a component that is there.
    Component(Box<ComponentFunction>),
    /// Whatever another process called.
    Unknown,
}

impl<T> Closure<T> {
    fn new(source: Source, arguments: std::result::Result<Vec<u8>, WireError>) -> Self {
        let arguments = arguments.map(Bytes::from).map_err(Arc::new);
        Self { call: Call { source, arguments, image: None }, value: PhantomData }
    }

    pub(crate) fn of_component(
        function: ComponentFunction,
        arguments: std::result::Result<Vec<u8>, WireError>,
    ) -> Self {
        Self::new(Source::Component(Box::new(function)), arguments)
    }

    /// The same in this container image, whatever the environment names.
    pub fn with_image(mut self, image: impl Into<String>) -> Self {
        self.call.image = Some(image.into());
        self
    }

    /// The function's name.
    pub fn function(&self) -> &str {
        self.call.function()
    }

    /// The container image that it asks for.
    pub fn image(&self) -> Option<&str> {
        self.call.image()
    }

    pub(crate) fn into_call(self) -> Call {
        self.call
    }
}

impl Call {
    /// The call of a run that somebody else submitted.
    pub(crate) fn unknown() -> Self {
        Self { source: Source::Unknown, arguments: Ok(Bytes::new()), image: None }
    }

    pub(crate) fn function(&self) -> &str {
        match &self.source {
            Source::Package(record) => record.name,
            Source::Component(function) => {
                function.signature().map_or(function.name(), |signature| &signature.name)
            }
            Source::Unknown => "of another program",
        }
    }

    pub(crate) fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// The component that it is a function of, found and checked against what is called.
    pub(crate) fn component_function(&self) -> Result<ComponentFunction> {
        match &self.source {
            Source::Package(record) => find::component_of(record.package)?.function_of(record),
            Source::Component(function) => {
                if let Ok(arguments) = &self.arguments {
                    function.check_count(arguments)?;
                }
                Ok(ComponentFunction::clone(function))
            }
            Source::Unknown => Err(Error::input("a run of another program cannot be started")),
        }
    }

    /// The arguments, a MessagePack array, which may be large: the call has none after that.
    pub(crate) fn take_arguments(&mut self) -> Result<Bytes> {
        std::mem::replace(&mut self.arguments, Ok(Bytes::new())).map_err(|error| {
            let hint = argument_advice(&*error);
            let error =
                Error::input(format!("the arguments of `{}` cannot be sent", self.function()))
                    .because(error);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
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

/// Creates a closure; called by the code that `#[hype::function]` generates.
pub fn bind<T: Value>(
    record: &'static FunctionRecord<'static>,
    arguments: std::result::Result<Vec<u8>, WireError>,
) -> Closure<T> {
    Closure::new(Source::Package(record), arguments)
}
