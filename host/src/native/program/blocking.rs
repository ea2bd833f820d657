//! The blocking API: hype's functions and types for code without `async`, such as a plain `fn main`, tests and scripts.
//!
//! ```no_run
//! # #[hype::function]
//! # fn example(arg: String) -> String { arg }
//! fn main() -> hype::Result<()> {
//!     let submitter = hype::blocking::Submitter::local()?;
//!     let env = hype::RunEnvironment::new();
//!     println!("{}", submitter.submit(example("hello".into()), &env)?);
//!     Ok(())
//! }
//! ```
//!
//! Inside a tokio runtime, every call that waits returns an error that suggests the asynchronous function, since it
//! would block the runtime's thread.

mod map;
mod parked;

pub use self::map::{Map, Unordered};

use self::parked::block_on;
use futures::StreamExt;
use hype_stage::Stage;
use serde::de::DeserializeOwned;

use crate::call::arguments::Arguments;
use crate::call::closure::Closure;
use crate::call::component::IntoComponentFunction;
use crate::call::handle::FunctionHandle;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::run::detach::DetachError;
use crate::run::log::LogLine;
use crate::run::status::Status;
use crate::runner::Runner;

/// Calls a function of a component with `arguments`, a tuple, by the submitter in scope, and waits for its value. The
/// blocking form of [`hype::submit`](crate::submit()).
///
/// ```no_run
/// let env = hype::RunEnvironment::new();
/// let length: usize = hype::blocking::submit("length.wasm", ("hello",), &env)?;
/// # hype::Result::Ok(())
/// ```
///
/// # Errors
///
/// The errors of [`hype::submit`](crate::submit()), and [`Input`](crate::ErrorKind::Input) inside a runtime.
pub fn submit<T: DeserializeOwned + 'static>(
    component: impl IntoComponentFunction,
    arguments: impl Arguments,
    env: &RunEnvironment,
) -> Result<T> {
    wait(crate::submit(component, arguments, env))?
}

/// A [`hype::Submitter`](crate::Submitter) with blocking methods.
///
/// ```no_run
/// # #[hype::function]
/// # fn example(arg: String) -> String { arg }
/// # fn main() -> hype::Result<()> {
/// let submitter = hype::blocking::Submitter::ambient()?;
/// let greeting = submitter.submit(example("hello".into()), &hype::RunEnvironment::new())?;
/// submitter.close()
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Submitter(crate::Submitter);

impl Submitter {
    /// Creates a submitter with this stage and runner.
    ///
    /// ```no_run
    /// # #[cfg(feature = "local")] {
    /// let stage = hype::Stage::open("file:///tmp/stage").unwrap();
    /// let runner = hype::LocalRunner::new().unwrap();
    /// let submitter = hype::blocking::Submitter::new(stage, runner).unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`hype::Submitter::new`](crate::Submitter::new).
    pub fn new(stage: Stage, runner: impl Runner) -> Result<Self> {
        crate::Submitter::new(stage, runner).map(Self)
    }

    /// Creates a submitter that runs closures in this process, with a stage in the user's cache directory.
    ///
    /// ```no_run
    /// let submitter = hype::blocking::Submitter::local()?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`hype::Submitter::local`](crate::Submitter::local).
    #[cfg(feature = "local")]
    pub fn local() -> Result<Self> {
        crate::Submitter::local().map(Self)
    }

    /// Creates a submitter that runs closures in this process, with the stage at a URL.
    ///
    /// ```no_run
    /// let submitter = hype::blocking::Submitter::local_with("file:///tmp/stage")?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`hype::Submitter::local_with`](crate::Submitter::local_with).
    #[cfg(feature = "local")]
    pub fn local_with(staging: &str) -> Result<Self> {
        crate::Submitter::local_with(staging).map(Self)
    }

    /// Creates a submitter that runs closures in Pods of a GKE cluster. The blocking form of
    /// [`hype::Submitter::gke`](crate::Submitter::gke).
    ///
    /// ```no_run
    /// let submitter =
    ///     hype::blocking::Submitter::gke("my-project", "europe-west1", "cluster-1", "gs://bucket/stage")?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`hype::Submitter::gke`](crate::Submitter::gke), and [`Input`](crate::ErrorKind::Input) inside a
    /// runtime.
    #[cfg(all(feature = "kubernetes", feature = "gcs"))]
    pub fn gke(project: &str, location: &str, cluster: &str, staging: &str) -> Result<Self> {
        wait(async {})?;
        // Requests to Google need a runtime, and the submitter's thread doesn't exist yet.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::runner("cannot start a runtime", error))?;
        let submitter = crate::Submitter::gke(project, location, cluster, staging);
        runtime.block_on(submitter).map(Self)
    }

    /// Returns the submitter in scope, see [`set_default`](crate::set_default).
    ///
    /// ```no_run
    /// let submitter = hype::blocking::Submitter::ambient()?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`hype::Submitter::ambient`](crate::Submitter::ambient).
    pub fn ambient() -> Result<Self> {
        crate::Submitter::ambient().map(Self)
    }

    /// Rejects unverified outcomes instead of logging a warning, like
    /// [`hype::Submitter::with_strict_results`](crate::Submitter::with_strict_results).
    ///
    /// ```no_run
    /// let submitter = hype::blocking::Submitter::ambient()?.with_strict_results();
    /// # hype::Result::Ok(())
    /// ```
    #[must_use]
    pub fn with_strict_results(self) -> Self {
        Self(self.0.with_strict_results())
    }

    /// Runs `closure` in `env`, waits, and returns its value.
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn example(arg: String) -> String { arg }
    /// # fn main() -> hype::Result<()> {
    /// let submitter = hype::blocking::Submitter::ambient()?;
    /// let greeting = submitter.submit(example("hello".into()), &hype::RunEnvironment::new())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`hype::Submitter::submit`](crate::Submitter::submit), and [`Input`](crate::ErrorKind::Input)
    /// inside a runtime.
    pub fn submit<T: DeserializeOwned + 'static>(
        &self,
        closure: Closure<T>,
        env: &RunEnvironment,
    ) -> Result<T> {
        wait(self.0.submit(closure, env))?
    }

    /// Starts `closure` in `env`, and returns immediately.
    ///
    /// ```no_run
    /// # #[hype::function]
    /// # fn example(arg: String) -> String { arg }
    /// # fn main() -> hype::Result<()> {
    /// let submitter = hype::blocking::Submitter::ambient()?;
    /// let env = hype::RunEnvironment::new();
    /// let runs = ["a", "b", "c"].map(|arg| submitter.spawn(example(arg.into()), &env));
    /// for run in runs {
    ///     println!("{}", run.wait()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<T>(&self, closure: Closure<T>, env: &RunEnvironment) -> Run<T> {
        Run(self.0.spawn(closure, env))
    }

    /// Attaches to a run that this or another process started, like
    /// [`hype::Submitter::attach`](crate::Submitter::attach).
    ///
    /// ```no_run
    /// let submitter = hype::blocking::Submitter::ambient()?;
    /// let greeting = submitter.attach::<String>("hype-run-tizxijbai4").wait()?;
    /// # hype::Result::Ok(())
    /// ```
    pub fn attach<T>(&self, run_id: &str) -> Run<T> {
        Run(self.0.attach(run_id))
    }

    /// Removes everything that this submitter created, and waits for that.
    ///
    /// ```no_run
    /// hype::blocking::Submitter::ambient()?.close()?;
    /// # hype::Result::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the first failed removal, and [`Input`](crate::ErrorKind::Input) inside a runtime.
    pub fn close(self) -> Result<()> {
        wait(self.0.close())?
    }
}

impl From<crate::Submitter> for Submitter {
    fn from(submitter: crate::Submitter) -> Self {
        Self(submitter)
    }
}

/// A [`hype::Run`](crate::Run) with blocking methods.
///
/// ```no_run
/// # fn example(submitter: &hype::blocking::Submitter, closure: hype::Closure<String>) -> hype::Result<()> {
/// let run = submitter.spawn(closure, &hype::RunEnvironment::new());
/// println!("{} is {:?}", run.id(), run.status());
/// println!("{}", run.wait()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping a run cancels it"]
pub struct Run<T>(crate::Run<T>);

impl<T> Run<T> {
    /// Returns the run's name.
    ///
    /// ```
    /// fn name(run: &hype::blocking::Run<String>) -> String {
    ///     run.id().to_owned()
    /// }
    /// ```
    pub fn id(&self) -> &str {
        self.0.id()
    }

    /// Returns the step that the run has reached.
    ///
    /// ```
    /// fn is_over(run: &hype::blocking::Run<String>) -> bool {
    ///     run.status() == hype::run::Status::Ended
    /// }
    /// ```
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Returns the closure's output, line by line, until the run ends. The iterator waits for each line.
    ///
    /// ```
    /// fn print(run: &hype::blocking::Run<String>) -> hype::Result<()> {
    ///     for line in run.logs()? {
    ///         println!("{:?}: {}", line.stream, line.text);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) inside a runtime.
    pub fn logs(&self) -> Result<impl Iterator<Item = LogLine> + Send + use<T>> {
        let mut lines = self.0.logs();
        wait(async {})?;
        Ok(std::iter::from_fn(move || wait(lines.next()).ok().flatten()))
    }

    /// Stops the run, and removes everything that it created.
    ///
    /// ```
    /// fn stop(run: hype::blocking::Run<String>) -> hype::Result<()> {
    ///     run.cancel()
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the first failed removal, and [`Input`](crate::ErrorKind::Input) inside a runtime.
    pub fn cancel(self) -> Result<()> {
        wait(self.0.cancel())?
    }

    /// Starts another function once this run has ended, with its value as the first argument, like
    /// [`hype::Run::then`](crate::Run::then).
    pub fn then<U>(self, next: FunctionHandle<(T,), U>, env: &RunEnvironment) -> Run<U> {
        Run(self.0.then(next, env))
    }

    /// Detaches the run, so that it continues without this program, and returns its name.
    ///
    /// ```
    /// fn leave(run: hype::blocking::Run<String>) -> hype::Result<String> {
    ///     Ok(run.detach()?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`hype::Run::detach`](crate::Run::detach), and [`Input`](crate::ErrorKind::Input) inside a
    /// runtime.
    pub fn detach(self) -> std::result::Result<String, DetachError<Self>>
    where
        T: 'static,
    {
        match wait(async {}) {
            Ok(()) => block_on(self.0.detach()).map_err(|refused| refused.map_run(Self)),
            Err(error) => Err(DetachError::new(error, self)),
        }
    }
}

impl<T: DeserializeOwned + 'static> Run<T> {
    /// Waits for the value, and returns it.
    ///
    /// ```
    /// fn value(run: hype::blocking::Run<String>) -> hype::Result<String> {
    ///     run.wait()
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`hype::Submitter::submit`](crate::Submitter::submit), and [`Input`](crate::ErrorKind::Input)
    /// inside a runtime.
    pub fn wait(self) -> Result<T> {
        wait(self.0.wait())?
    }
}

/// Waits for `future`, unless that would block a thread of a tokio runtime.
fn wait<T>(future: impl Future<Output = T>) -> Result<T> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(Error::input("hype::blocking was called inside an asynchronous runtime")
            .hint("use the same function without `blocking`, and await it"));
    }
    Ok(block_on(future))
}
