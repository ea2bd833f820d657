//! The same as the rest of hype, for threads that wait: a plain `fn main`, tests, scripts.
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
//! Inside a tokio runtime all of this is an error that names the asynchronous form, since a thread
//! that waits there would keep others from going on.

use futures::StreamExt;
use hype_stage::Stage;
use serde::de::DeserializeOwned;

use crate::call::arguments::Arguments;
use crate::call::closure::Closure;
use crate::call::component::IntoComponentFunction;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::run::detach::DetachError;
use crate::run::log::LogLine;
use crate::run::status::Status;
use crate::runner::Runner;

/// [`hype::submit`](crate::submit()), waiting.
///
/// # Errors
///
/// As there, and inside a runtime.
pub fn submit<T: DeserializeOwned + 'static>(
    component: impl IntoComponentFunction,
    arguments: impl Arguments,
    env: &RunEnvironment,
) -> Result<T> {
    wait(crate::submit(component, arguments, env))?
}

/// A [`hype::Submitter`](crate::Submitter) whose methods wait.
#[derive(Debug, Clone)]
pub struct Submitter(crate::Submitter);

impl Submitter {
    /// A submitter of these two parts.
    ///
    /// # Errors
    ///
    /// As [`hype::Submitter::new`](crate::Submitter::new).
    pub fn new(stage: Stage, runner: impl Runner) -> Result<Self> {
        crate::Submitter::new(stage, runner).map(Self)
    }

    /// Runs closures in this process, through a stage in the user's cache directory.
    ///
    /// # Errors
    ///
    /// As [`hype::Submitter::local`](crate::Submitter::local).
    #[cfg(feature = "local")]
    pub fn local() -> Result<Self> {
        crate::Submitter::local().map(Self)
    }

    /// Runs closures in this process, through the stage at a URL.
    ///
    /// # Errors
    ///
    /// As [`hype::Submitter::local_with`](crate::Submitter::local_with).
    #[cfg(feature = "local")]
    pub fn local_with(staging: &str) -> Result<Self> {
        crate::Submitter::local_with(staging).map(Self)
    }

    /// [`hype::Submitter::gke`](crate::Submitter::gke), waiting.
    ///
    /// # Errors
    ///
    /// As there, and inside a runtime.
    #[cfg(all(feature = "kubernetes", feature = "gcs"))]
    pub fn gke(project: &str, location: &str, cluster: &str, staging: &str) -> Result<Self> {
        wait(async {})?;
        // Asking Google takes a runtime, which the submitter's thread isn't there for yet.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::runner("cannot start a runtime", error))?;
        let submitter = crate::Submitter::gke(project, location, cluster, staging);
        runtime.block_on(submitter).map(Self)
    }

    /// The submitter that is used where a program names none.
    ///
    /// # Errors
    ///
    /// As [`hype::Submitter::ambient`](crate::Submitter::ambient).
    pub fn ambient() -> Result<Self> {
        crate::Submitter::ambient().map(Self)
    }

    /// [`hype::Submitter::with_strict_results`](crate::Submitter::with_strict_results).
    #[must_use]
    pub fn with_strict_results(self) -> Self {
        Self(self.0.with_strict_results())
    }

    /// Runs `closure` in `env` and gives its value.
    ///
    /// # Errors
    ///
    /// As [`hype::Submitter::submit`](crate::Submitter::submit), and inside a runtime.
    pub fn submit<T: DeserializeOwned + 'static>(
        &self,
        closure: Closure<T>,
        env: &RunEnvironment,
    ) -> Result<T> {
        wait(self.0.submit(closure, env))?
    }

    /// Starts `closure` in `env`; it goes on by itself until its value is waited for.
    pub fn spawn<T>(&self, closure: Closure<T>, env: &RunEnvironment) -> Run<T> {
        Run(self.0.spawn(closure, env))
    }

    /// Waits for a run that was begun elsewhere, as [`hype::Submitter::attach`](crate::Submitter::attach).
    pub fn attach<T>(&self, run_id: &str) -> Run<T> {
        Run(self.0.attach(run_id))
    }

    /// Removes what this submitter made and still has.
    ///
    /// # Errors
    ///
    /// When something could not be removed, and inside a runtime.
    pub fn close(self) -> Result<()> {
        wait(self.0.close())?
    }
}

impl From<crate::Submitter> for Submitter {
    fn from(submitter: crate::Submitter) -> Self {
        Self(submitter)
    }
}

/// A [`hype::Run`](crate::Run) whose methods wait.
#[derive(Debug)]
#[must_use = "dropping a run cancels it"]
pub struct Run<T>(crate::Run<T>);

impl<T> Run<T> {
    /// The run's name.
    pub fn id(&self) -> &str {
        self.0.id()
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// What the closure writes, line by line, until the run ends; the iterator waits for lines.
    ///
    /// # Errors
    ///
    /// Inside a runtime.
    pub fn logs(&self) -> Result<impl Iterator<Item = LogLine> + Send + use<T>> {
        let mut lines = self.0.logs();
        wait(async {})?;
        Ok(std::iter::from_fn(move || wait(lines.next()).ok().flatten()))
    }

    /// Stops the run and removes what it made.
    ///
    /// # Errors
    ///
    /// When something of it could not be removed, and inside a runtime.
    pub fn cancel(self) -> Result<()> {
        wait(self.0.cancel())?
    }

    /// Lets the run go on without this handle, and gives its name once the run needs this program no more.
    ///
    /// # Errors
    ///
    /// As [`hype::Run::detach`](crate::Run::detach), and inside a runtime.
    pub fn detach(self) -> std::result::Result<String, DetachError<Self>>
    where
        T: 'static,
    {
        match wait(async {}) {
            Ok(()) => futures::executor::block_on(self.0.detach())
                .map_err(|refused| refused.map_run(Self)),
            Err(error) => Err(DetachError::new(error, self)),
        }
    }
}

impl<T: DeserializeOwned + 'static> Run<T> {
    /// Waits for the value.
    ///
    /// # Errors
    ///
    /// As [`hype::Submitter::submit`](crate::Submitter::submit), and inside a runtime.
    pub fn wait(self) -> Result<T> {
        wait(self.0.wait())?
    }
}

fn wait<T>(future: impl Future<Output = T>) -> Result<T> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Err(Error::input("hype::blocking was called inside an asynchronous runtime")
            .hint("use the same function without `blocking`, and await it"));
    }
    Ok(futures::executor::block_on(future))
}
