//! The submitter and the environment that a program uses where it names none.

use std::sync::{PoisonError, RwLock};

use serde::de::DeserializeOwned;

use crate::call::arguments::Arguments;
use crate::call::component::IntoComponentFunction;
use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::program::chosen;
use crate::run::submitter::Submitter;

impl Submitter {
    /// The submitter that is used where a program names none (see
    /// [`set_default`](crate::set_default)).
    ///
    /// # Errors
    ///
    /// When `HYPE_SUBMITTER`, `HYPE_STAGING` or `hype.toml` name something that can't be had.
    pub fn ambient() -> Result<Self> {
        current().map(|(submitter, _)| submitter)
    }
}

type Pair = (Submitter, RunEnvironment);

static DEFAULT: RwLock<Option<Pair>> = RwLock::new(None);

tokio::task_local! {
    static SCOPE: Pair;
}

/// Runs a function of a component with `arguments`, a tuple, by the submitter in scope.
///
/// `component` is a path, bytes, a [`Component`](crate::Component) with exactly one function, or
/// `Component::open("x.wasm")?.function("greet")?`. `T` is the type of the value.
///
/// ```no_run
/// # async fn run() -> hype::Result<()> {
/// let env = hype::RunEnvironment::new();
/// let length: usize = hype::submit("length.wasm", ("hello",), &env).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`Submitter::submit`], and [`Input`](crate::ErrorKind::Input) when there is no such
/// component.
pub async fn submit<T: DeserializeOwned + 'static>(
    component: impl IntoComponentFunction,
    arguments: impl Arguments,
    env: &RunEnvironment,
) -> Result<T> {
    let closure = component.into_component_function()?.bind(arguments);
    let (submitter, _) = current()?;
    submitter.submit(closure, env).await
}

/// Makes `submitter` and `env` those that the whole program uses where it names none.
///
/// Without this, and outside any [`scope`], the variables `HYPE_SUBMITTER` and `HYPE_STAGING`
/// choose, then the nearest `hype.toml`, and else closures run in this process.
///
/// The program's default goes when [`main`](crate::main) ends, and removes then what it made. In a
/// program without that attribute, [close](Submitter::close) a clone of `submitter` at the end.
pub fn set_default(submitter: Submitter, env: RunEnvironment) {
    *DEFAULT.write().unwrap_or_else(PoisonError::into_inner) = Some((submitter, env));
}

/// Makes `submitter` and `env` those that `future` uses where it names none.
pub async fn scope<F: Future>(submitter: Submitter, env: RunEnvironment, future: F) -> F::Output {
    SCOPE.scope((submitter, env), future).await
}

/// Lets go of the program's default, and so waits until its submitter has removed what it made.
pub(crate) fn forget_default() {
    let default = DEFAULT.write().unwrap_or_else(PoisonError::into_inner).take();
    drop(default);
}

/// What is in scope here.
pub(crate) fn current() -> Result<Pair> {
    if let Ok(pair) = SCOPE.try_with(Pair::clone) {
        return Ok(pair);
    }
    if let Some(pair) = &*DEFAULT.read().unwrap_or_else(PoisonError::into_inner) {
        return Ok(pair.clone());
    }
    let mut default = DEFAULT.write().unwrap_or_else(PoisonError::into_inner);
    if default.is_none() {
        let submitter = chosen::submitter()?;
        *default = Some((submitter, RunEnvironment::new()));
    }
    default.clone().ok_or_else(|| crate::Error::input("no submitter is in scope"))
}
