//! The WebAssembly engine, and the components that are ready to run on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hype_wire::{ComponentRef, Digest, Failure, FailureKind, Location};
use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker, WasmStr};
use wasmtime::{Engine, StoreContextMut};

use crate::brevity;
use crate::cache::Cache;
use crate::deadline::{Ticker, Ticking};
use crate::engine::{Platform, engine};
use crate::execution::{Guest, Panic};
use crate::filesystem;
use crate::mapped;

/// The host's side of `wit/`.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "closures",
        exports: { default: async },
    });
}

pub(crate) use bindings::{Closures, ClosuresPre};

/// How many components are kept ready, the last used ones.
const KEPT: usize = 16;

/// Runs components: one engine, shared by all runs of a process.
pub struct Executor {
    engine: Engine,
    linker: Linker<Guest>,
    ticker: Ticker,
    ready: Mutex<Vec<(Digest, ClosuresPre<Guest>)>>,
    /// As many components are compiled at once as there are cores. One whose run didn't wait for it
    /// is compiled to its end all the same, since nothing can stop that.
    compilers: Arc<Semaphore>,
    cache: Option<Cache>,
}

impl Executor {
    /// An executor without components. It lets this process have as many open files as the system
    /// allows it, since guests may open hundreds each.
    ///
    /// # Errors
    ///
    /// When the machine cannot run WebAssembly, or has no thread left.
    pub fn new() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        raise_descriptors();
        let engine = engine(Platform::here()).map_err(wasmtime::Error::into_boxed_dyn_error)?;
        let mut linker = Linker::new(&engine);
        link(&mut linker).map_err(wasmtime::Error::into_boxed_dyn_error)?;
        let ticker = Ticker::start(engine.clone())?;
        let compilers = Arc::new(Semaphore::new(cores()));
        Ok(Self { engine, linker, ticker, ready: Mutex::default(), compilers, cache: None })
    }

    /// Looks for what the runs need in `cache` first, and keeps there what they fetch.
    #[must_use]
    pub fn with_cache(self, cache: impl Into<Option<Cache>>) -> Self {
        Self { cache: cache.into(), ..self }
    }

    /// Where to look for what a run needs before it is fetched.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// The component with this digest, if it was used before.
    pub(crate) fn reuse(&self, digest: &Digest) -> Option<ClosuresPre<Guest>> {
        let mut ready = self.lock();
        let index = ready.iter().position(|(kept, _)| kept == digest)?;
        let last_used = ready.remove(index);
        let component = last_used.1.clone();
        ready.push(last_used);
        Some(component)
    }

    /// The component in `bytes`, whose digest this is, unless it takes longer than `timeout`.
    pub(crate) async fn compile(
        &self,
        component: &ComponentRef,
        bytes: Bytes,
        timeout: Option<Duration>,
    ) -> Result<ClosuresPre<Guest>, Failure> {
        let (engine, compilers) = (self.engine.clone(), Arc::clone(&self.compilers));
        let compiling = async {
            // The semaphore is never closed.
            let turn = compilers.acquire_owned().await;
            if let Some(ready) = self.reuse(&component.blob.digest) {
                return Ok(ready);
            }
            // The turn is over when the component is linked, or compiled and not wanted any more.
            let compile = move || (Component::from_binary(&engine, &bytes), turn);
            let (compiled, _turn) = tokio::task::spawn_blocking(compile)
                .await
                .map_err(|error| Failure::from_error(FailureKind::Infrastructure, &error))?;
            let compiled = compiled.map_err(|error| {
                unusable(&component.name, "is not a component that can be compiled", &error)
            })?;
            self.link(component, &compiled)
        };
        let Some(timeout) = timeout else {
            return compiling.await;
        };
        tokio::time::timeout(timeout, compiling).await.unwrap_or_else(|_| {
            let name = &component.name;
            let message =
                format!("compiling {name} took longer than the run's timeout of {timeout:?}");
            Err(Failure::new(FailureKind::Deadline, message))
        })
    }

    /// The component that `artefact` was made of.
    ///
    /// # Safety
    ///
    /// `artefact` is run as it is: it must come from [`precompile`](crate::precompile), as only
    /// the word of somebody who may run code here can tell.
    ///
    /// # Errors
    ///
    /// `Ok(Err(why))` when it was made by another version or for another machine.
    pub(crate) unsafe fn load(
        &self,
        component: &ComponentRef,
        artefact: &[u8],
    ) -> Result<std::result::Result<ClosuresPre<Guest>, String>, Failure> {
        // SAFETY: the caller vouches for the bytes.
        match unsafe { mapped::load(&self.engine, artefact) } {
            Ok(loaded) => self.link(component, &loaded).map(Ok),
            Err(error) => Ok(Err(format!("{error:#}"))),
        }
    }

    /// Makes guests look at the clock until what this gives is dropped.
    pub(crate) fn tick(&self) -> Ticking<'_> {
        self.ticker.tick()
    }

    fn link(
        &self,
        component: &ComponentRef,
        compiled: &Component,
    ) -> Result<ClosuresPre<Guest>, Failure> {
        let name = &component.name;
        let linked = self
            .linker
            .instantiate_pre(compiled)
            .map_err(|error| unusable(name, "imports what hype doesn't offer", &error))?;
        let closures = ClosuresPre::new(linked)
            .map_err(|error| unusable(name, "doesn't export spotify:hype/closure@0.1.0", &error))?;
        let digest = component.blob.digest;
        let mut ready = self.lock();
        ready.retain(|(kept, _)| *kept != digest);
        if ready.len() == KEPT {
            ready.remove(0);
        }
        ready.push((digest, closures.clone()));
        Ok(closures)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Digest, ClosuresPre<Guest>)>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ready, free) = (self.lock().len(), self.compilers.available_permits());
        let compiling = cores().saturating_sub(free);
        write!(f, "Executor({ready} components, {compiling} being compiled)")
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    filesystem::link(linker)?;
    linker.instance("spotify:hype/report@0.1.0")?.func_wrap("panicked", panicked)
}

/// Keeps the beginning of what the guest says, which stays in its memory else.
fn panicked(
    mut store: StoreContextMut<'_, Guest>,
    (message, file, line): (WasmStr, WasmStr, u32),
) -> wasmtime::Result<()> {
    let message = brevity::text(&message.to_str(&store)?);
    let file = brevity::name(&file.to_str(&store)?);
    store.data_mut().panic = Some(Panic { message, location: Location { file, line } });
    Ok(())
}

/// Raises the soft limit of descriptors to the hard one, as the JVM and Go do for their programs: of
/// the usual thousand, two guests could leave none to read the stage with.
fn raise_descriptors() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            tracing::debug!("{current:?} open files stay the limit: {error}");
        }
    }
}

fn unusable(name: &str, problem: &str, error: &wasmtime::Error) -> Failure {
    let mut failure =
        Failure::new(FailureKind::Incompatible, format!("component {name} {problem}"));
    failure.causes = error.chain().map(ToString::to_string).collect();
    failure
}
