//! The WebAssembly engine, and the components that are ready to run on it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hype_wire::{ComponentRef, Digest, Failure, FailureKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;
use wasmtime::component::Component;

use crate::cache::Cache;
use crate::callee::ReadyComponent;
use crate::deadline::Ticking;
use crate::embedding::ComingEmbedding;
use crate::engine::Slots;
use crate::execution::Guest;
use crate::http::{Resolver, SystemResolver};
use crate::mapped::MachineCode;
use crate::process::CommandPlace;

/// How many components are kept ready, the last used ones.
const KEPT: usize = 16;

/// How much memory the system takes back in no time.
const AT_ONCE: u64 = 16 << 20;

/// Runs components: one engine, shared by all runs of a process.
pub struct Executor {
    embedding: ComingEmbedding,
    ready: Mutex<Vec<(Digest, ReadyComponent)>>,
    /// As many components are compiled at once as there are cores. One whose run didn't wait for it
    /// is compiled to its end all the same, since nothing can stop that.
    compilers: OnceLock<Arc<Semaphore>>,
    cache: Option<Cache>,
    /// For calls that have room set aside.
    permits: Option<Arc<Semaphore>>,
    resolver: Arc<dyn Resolver>,
    commands: CommandPlace,
    /// Whether its process ends with the first call.
    is_last: bool,
}

impl Executor {
    /// An executor without components, for a call or a few. It lets this process have as many open
    /// files as the system allows it, since guests may open hundreds each.
    ///
    /// That a machine cannot run WebAssembly is told by the first run.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// The same for one call, with which this process ends: what the call had is left to the system, which
    /// takes all of it back at once.
    pub fn for_one_call() -> Self {
        Self { is_last: true, ..Self::new() }
    }

    /// The same for many calls, of which `calls` run at once and others wait for their turn. What they
    /// need is set aside beforehand and used again and again; that takes longer to begin with, and less
    /// for each call.
    pub fn pooled(calls: usize) -> Self {
        Self { permits: Some(Arc::new(Semaphore::new(calls))), ..Self::with(Some(Slots(calls))) }
    }

    fn with(slots: Option<Slots>) -> Self {
        let embedding = ComingEmbedding::begin(slots);
        raise_descriptors();
        let (ready, compilers, commands) = Default::default();
        let resolver = Arc::new(SystemResolver);
        let (cache, permits, is_last) = (None, None, false);
        Self { embedding, ready, compilers, cache, permits, resolver, commands, is_last }
    }

    /// Looks for what the runs need in `cache` first, and keeps there what they fetch.
    #[must_use]
    pub fn with_cache(self, cache: impl Into<Option<Cache>>) -> Self {
        Self { cache: cache.into(), ..self }
    }

    /// Asks `resolver` for the addresses of the hosts that guests ask, rather than the system.
    #[must_use]
    pub fn with_resolver(self, resolver: impl Resolver) -> Self {
        Self { resolver: Arc::new(resolver), ..self }
    }

    /// Runs the commands of guests there, rather than apart.
    #[must_use]
    pub fn with_commands(self, place: CommandPlace) -> Self {
        Self { commands: place, ..self }
    }

    pub(crate) fn commands(&self) -> CommandPlace {
        self.commands
    }

    pub(crate) fn resolver(&self) -> Arc<dyn Resolver> {
        Arc::clone(&self.resolver)
    }

    /// Returns whether commands can change files that several calls share: they run with all the rights of
    /// this process, which makes more than one call.
    pub(crate) fn commands_reach_shared_files(&self) -> bool {
        !self.is_last && self.commands == CommandPlace::Here
    }

    /// Where to look for what a run needs before it is fetched.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// The component with this digest, if it was used before.
    pub(crate) fn reuse(&self, digest: &Digest) -> Option<ReadyComponent> {
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
    ) -> Result<ReadyComponent, Failure> {
        let engine = self.embedding.get()?.engine.clone();
        // Whoever only loads machine code needn't look for its cores.
        let compilers = self.compilers.get_or_init(|| Arc::new(Semaphore::new(cores())));
        let compilers = Arc::clone(compilers);
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

    /// The component that `code` was made of.
    ///
    /// # Safety
    ///
    /// `code` is run as it is: it must come from [`precompile`](crate::precompile), as only
    /// the word of somebody who may run code here can tell.
    ///
    /// # Errors
    ///
    /// `Ok(Err(why))` when it was made by another version or for another machine.
    pub(crate) unsafe fn load(
        &self,
        component: &ComponentRef,
        code: &MachineCode,
    ) -> Result<std::result::Result<ReadyComponent, String>, Failure> {
        // SAFETY: the caller vouches for the bytes.
        match unsafe { code.load(&self.embedding.get()?.engine) } {
            Ok(loaded) => self.link(component, &loaded).map(Ok),
            Err(error) => Ok(Err(format!("{error:#}"))),
        }
    }

    /// Waits until there is room for a call.
    pub(crate) async fn permit(&self) -> CallPermit {
        CallPermit(match &self.permits {
            // It is never closed.
            Some(permits) => Arc::clone(permits).acquire_owned().await.ok(),
            None => None,
        })
    }

    /// Takes back what a call had, and then its room. Nobody waits for the system to take much.
    pub(crate) fn end(&self, guest: Store<Guest>, permit: CallPermit) {
        let is_large = guest.data().limiter.peak() > AT_ONCE;
        let end = move || {
            drop(guest);
            drop(permit);
        };
        if self.is_last {
            std::mem::forget(end);
        } else if is_large {
            tokio::task::spawn_blocking(end);
        } else {
            end();
        }
    }

    /// Makes guests look at the clock until what this gives is dropped.
    pub(crate) fn tick(&self) -> Result<Ticking<'_>, Failure> {
        Ok(self.embedding.get()?.ticker.tick())
    }

    fn link(
        &self,
        component: &ComponentRef,
        compiled: &Component,
    ) -> Result<ReadyComponent, Failure> {
        let name = &component.name;
        let linker = &self.embedding.get()?.linker;
        let linked = linker
            .instantiate_pre(compiled)
            .map_err(|error| unusable(name, "imports what hype doesn't offer", &error))?;
        let linked = ReadyComponent::new(linked);
        let digest = component.blob.digest;
        let mut ready = self.lock();
        ready.retain(|(kept, _)| *kept != digest);
        if ready.len() == KEPT {
            ready.remove(0);
        }
        ready.push((digest, linked.clone()));
        Ok(linked)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Digest, ReadyComponent)>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot for a call; released on drop.
#[derive(Debug)]
pub(crate) struct CallPermit(
    #[expect(dead_code, reason = "it is there to be dropped")] Option<OwnedSemaphorePermit>,
);

impl Default for Executor {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ready = self.lock().len();
        let busy = |all: &Arc<Semaphore>| cores().saturating_sub(all.available_permits());
        let compiling = self.compilers.get().map_or(0, busy);
        write!(f, "Executor({ready} components, {compiling} being compiled)")
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
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
