//! Takes closures, gives values.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hype_stage::Stage;
use hype_wire::{Code, End, Outcome, Payload, Statistics, TerminationLine, codec, names};
use serde::de::DeserializeOwned;

use crate::closure::Closure;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::runner::{Attempt, Runner};
use crate::staging::{Run, stage_run};

/// Takes closures and gives values: a stage, and a runner. Cloning is cheap.
#[derive(Clone)]
pub struct Submitter(Arc<Inner>);

struct Inner {
    stage: Stage,
    runner: Box<dyn Runner>,
}

impl Submitter {
    /// A submitter of these two parts.
    pub fn new(stage: Stage, runner: impl Runner) -> Self {
        Self(Arc::new(Inner { stage, runner: Box::new(runner) }))
    }

    /// Runs closures in this process, through a stage in the user's cache directory.
    ///
    /// # Errors
    ///
    /// When there is no cache directory, or this machine can't run WebAssembly.
    #[cfg(feature = "local")]
    pub fn local() -> Result<Self> {
        let cache = dirs::cache_dir().ok_or_else(|| {
            Error::input("this user has no cache directory for a stage")
                .hint("name a stage: Submitter::local_with(\"file:///var/tmp/hype\")")
        })?;
        Self::local_in(Stage::in_directory(&cache.join("hype").join("stage"))?)
    }

    /// Runs closures in this process, through the stage at a `file://` URL, whose directory is
    /// made if absent.
    ///
    /// # Errors
    ///
    /// When there can be no such stage, or this machine can't run WebAssembly.
    #[cfg(feature = "local")]
    pub fn local_with(staging: &str) -> Result<Self> {
        Self::local_in(Stage::open_or_make(staging)?)
    }

    #[cfg(feature = "local")]
    fn local_in(stage: Stage) -> Result<Self> {
        Ok(Self::new(stage, crate::runner::LocalRunner::new()?))
    }

    /// What artefacts and results go through.
    pub fn stage(&self) -> &Stage {
        &self.0.stage
    }

    /// Runs `closure` in `env` and gives its value. Dropping the future stops the run.
    ///
    /// The future borrows nothing, so that many can be spawned or joined.
    ///
    /// # Errors
    ///
    /// [`Error::kind`] says who can do something about it, [`Error::failure`] how the closure
    /// ended.
    pub fn submit<T: DeserializeOwned + 'static>(
        &self,
        closure: Closure<T>,
        env: &RunEnvironment,
    ) -> impl Future<Output = Result<T>> + Send + 'static + use<T> {
        let (submitter, env) = (self.clone(), env.clone());
        async move {
            let bytes = submitter.value(&closure, &env).await?;
            codec::from_slice_owned(&bytes).map_err(|error| {
                Error::input(format!(
                    "the value of `{}` is not what the program expects",
                    closure.function()
                ))
                .because(error)
                .hint("the type of the result must be the one that the function returns")
            })
        }
    }

    /// The MessagePack of the closure's value.
    async fn value<T>(&self, closure: &Closure<T>, env: &RunEnvironment) -> Result<Bytes> {
        env.check()?;
        let function = closure.component_function()?;
        let run_id = new_run_id()?;
        let run = Run {
            id: &run_id,
            function: &function,
            arguments: closure.arguments()?,
            env,
            mounts: self.0.runner.mounts(env)?,
            platform: self.0.runner.platform(env),
        };
        let result = self.run(closure, run).await;
        let removed = self.0.stage.remove_run(&run_id).await;
        let value = result?;
        removed?;
        Ok(value)
    }

    async fn run<T>(&self, closure: &Closure<T>, run: Run<'_>) -> Result<Bytes> {
        let Inner { stage, runner } = &*self.0;
        let (run_id, env) = (run.id, run.env);
        let manifest = stage_run(stage, run).await?;
        tracing::info!("submitting {} to {env:?}", manifest.url);
        tracing::info!("running `{}` {}", closure.function(), runner.place());
        let started = Instant::now();
        let attempt = Attempt {
            run_id: run_id.to_owned(),
            number: 1,
            manifest_url: manifest.url,
            manifest_digest: manifest.digest,
            image: closure.image().or(env.image()).map(str::to_owned),
            env: env.clone(),
        };
        let line = runner.run(attempt).await?;
        let outcome = read_outcome(stage, run_id, &line).await?;
        let ending = match &outcome.end {
            End::Value(_) => "a value".to_owned(),
            End::Failure(failure) => format!("a failure ({})", failure.kind),
        };
        let took = started.elapsed();
        tracing::info!(
            "{run_id} ended with {ending} after {took:.1?}: {}",
            told(&outcome.statistics)
        );
        match outcome.end {
            End::Value(payload) => read_value(stage, payload).await,
            End::Failure(failure) => Err(Error::failed(closure.function(), failure)),
        }
    }
}

impl fmt::Debug for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Submitter({}, {})", self.0.runner.place(), self.0.stage.url())
    }
}

/// The outcome that `line` vouches for.
async fn read_outcome(stage: &Stage, run_id: &str, line: &TerminationLine) -> Result<Outcome> {
    let name = line
        .outcome
        .strip_prefix(stage.url())
        .and_then(|name| name.strip_prefix('/'))
        .filter(|name| name.starts_with(&format!("{}/", names::run(run_id))))
        .ok_or_else(|| {
            Error::lost(run_id, format!("its runner named a foreign outcome, {}", line.outcome))
        })?;
    let bytes =
        stage.get_verified(name, &line.digest).await.map_err(|error| Error::lost(run_id, error))?;
    Ok(Outcome::from_bytes(&bytes)?)
}

async fn read_value(stage: &Stage, payload: Payload) -> Result<Bytes> {
    match payload {
        Payload::Inline(bytes) => Ok(Bytes::from(bytes.0)),
        Payload::Staged { name, blob } => Ok(stage.get_verified(&name, &blob.digest).await?),
    }
}

fn told(statistics: &Statistics) -> String {
    let ms = |us: u64| us as f64 / 1000.0;
    let Statistics { fetch_us, compile_us, start_us, run_us, peak_memory, code, .. } = statistics;
    let made = match code {
        Code::Compiled => "compile",
        _ => "load",
    };
    format!(
        "fetch {:.1} ms, {made} {:.1} ms, start {:.1} ms, run {:.1} ms, memory {:.1} MiB",
        ms(*fetch_us),
        ms(*compile_us),
        ms(*start_us),
        ms(*run_us),
        *peak_memory as f64 / f64::from(1 << 20),
    )
}

/// A name that is unique in a stage and good for a Pod: `hype-run-` and ten letters and digits.
fn new_run_id() -> Result<String> {
    let number = getrandom::u64()
        .map_err(|error| Error::runner("the system has no random numbers", error.to_string()))?;
    let letters = b"abcdefghijkmnpqrstuvwxyz23456789";
    let name = (0..10).map(|index| char::from(letters[(number >> (5 * index)) as usize % 32]));
    Ok(format!("hype-run-{}", name.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_differ_and_name_pods() {
        let (one, other) = (new_run_id().unwrap(), new_run_id().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), "hype-run-".len() + 10);
        assert!(one.chars().all(|c| c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit()));
    }

    #[test]
    fn handles_go_anywhere() {
        fn anywhere<T: Clone + Send + Sync + 'static>() {}
        fn spawned<T: Send + 'static>(_: T) {}
        anywhere::<Closure<std::rc::Rc<()>>>();
        anywhere::<Submitter>();
        anywhere::<RunEnvironment>();
        let _submit = |submitter: Submitter, closure: Closure<String>, env: &RunEnvironment| {
            spawned(submitter.submit(closure, env));
        };
    }
}
