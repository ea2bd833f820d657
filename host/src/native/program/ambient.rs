//! The default submitter and environment of a program or a scope.

use std::sync::{Mutex, PoisonError, RwLock};

use hype_stage::PerProcess;
use serde::de::DeserializeOwned;

use crate::call::arguments::Arguments;
use crate::call::component::IntoComponentFunction;
use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::program::chosen;
use crate::run::submitter::Submitter;

impl Submitter {
    /// Returns the submitter in scope, see [`set_default`](crate::set_default).
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn example(arg: String) -> String { arg }
    /// # async fn run() -> hype::Result<()> {
    /// let submitter = hype::Submitter::ambient()?;
    /// let run = submitter.spawn(example("hello".into()), &hype::RunEnvironment::new());
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) or [`Runner`](crate::ErrorKind::Runner) when the submitter or the stage that
    /// `HYPE_SUBMITTER`, `HYPE_STAGING` or `hype.toml` name is not available.
    pub fn ambient() -> Result<Self> {
        current().map(|(submitter, _)| submitter)
    }
}

type Defaults = (Submitter, RunEnvironment);

/// The default that the program has set.
static DEFAULT: RwLock<Option<Defaults>> = RwLock::new(None);

/// The submitter that variables or `hype.toml` choose, once it is needed. A fork of a process chooses its own.
static CHOSEN: PerProcess<Mutex<Option<Submitter>>> = PerProcess::new(Mutex::default);

tokio::task_local! {
    static SCOPE: Defaults;
}

/// Calls a function of a component with `arguments`, a tuple, by the submitter in scope, and returns its value.
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
/// The errors of [`Submitter::submit`], and [`Input`](crate::ErrorKind::Input) when the component doesn't exist.
pub async fn submit<T: DeserializeOwned + 'static>(
    component: impl IntoComponentFunction,
    arguments: impl Arguments,
    env: &RunEnvironment,
) -> Result<T> {
    let closure = component.into_component_function()?.bind(arguments);
    let (submitter, _) = current()?;
    submitter.submit(closure, env).await
}

/// Sets the default submitter and environment of the program, which awaited closures and [`submit`] use.
///
/// Without this call, and outside any [`scope`], the variables `HYPE_SUBMITTER` and `HYPE_STAGING` select the
/// submitter, or else the nearest `hype.toml`. Without either, closures run in this process.
/// A process that this one forks must set a default of its own.
///
/// The default submitter is closed when [`main`](crate::main) ends. In a program without that attribute,
/// [close](Submitter::close) a clone of `submitter` at the end.
///
/// ```no_run
/// # #[hype::function]
/// # fn example(arg: String) -> String { arg }
/// #[hype::main]
/// async fn main() -> hype::Result<()> {
///     let submitter = hype::Submitter::ambient()?.with_strict_results();
///     hype::set_default(submitter, hype::RunEnvironment::new().with_env("LOG", "info"));
///     println!("{}", example("hello".into()).await?);
///     Ok(())
/// }
/// ```
pub fn set_default(submitter: Submitter, env: RunEnvironment) {
    *DEFAULT.write().unwrap_or_else(PoisonError::into_inner) = Some((submitter, env));
    forget_chosen();
}

/// Runs `future` with `submitter` and `env` as its default submitter and environment.
///
/// ```no_run
/// # #[hype::function]
/// # fn example(arg: String) -> String { arg }
/// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
/// let env = hype::RunEnvironment::new().with_memory(2 << 30);
/// let greeting = hype::scope(submitter, env, async { example("hello".into()).await }).await?;
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
pub async fn scope<F: Future>(submitter: Submitter, env: RunEnvironment, future: F) -> F::Output {
    SCOPE.scope((submitter, env), future).await
}

/// Drops the default of the program, and thereby waits until its submitter has removed everything that it created.
pub(crate) fn forget_default() {
    let default = DEFAULT.write().unwrap_or_else(PoisonError::into_inner).take();
    drop(default);
    forget_chosen();
}

fn forget_chosen() {
    let chosen = CHOSEN.get().lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(chosen);
}

/// Returns the submitter and the environment in scope.
pub(crate) fn current() -> Result<Defaults> {
    if let Ok(defaults) = SCOPE.try_with(Defaults::clone) {
        return Ok(defaults);
    }
    if let Some(defaults) = &*DEFAULT.read().unwrap_or_else(PoisonError::into_inner) {
        return Ok(defaults.clone());
    }
    let mut chosen = CHOSEN.get().lock().unwrap_or_else(PoisonError::into_inner);
    let submitter = match &*chosen {
        Some(submitter) => submitter.clone(),
        None => chosen.insert(chosen::submitter()?).clone(),
    };
    Ok((submitter, RunEnvironment::new()))
}
