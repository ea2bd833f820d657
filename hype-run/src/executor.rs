//! The WebAssembly engine and its compiled components.

mod place;

use std::sync::Arc;

use bytes::Bytes;
use hype_stage::spawn_io;
use hype_wire::{ComponentRef, Failure, FailureKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;
use wasmtime::component::Component;

use crate::cache::Cache;
use crate::callee::ReadyComponent;
use crate::compiler::{CompileError, Compiler};
use crate::deadline::Ticking;
use crate::embedding::LazyEmbedding;
use crate::engine::{CodeKind, Platform, Slots};
use crate::execution::Guest;
use crate::http::{Resolver, SystemResolver};
use crate::load_time::TimeoutLeft;
use crate::loaded::LoadedComponents;
use crate::machine_code::MachineCode;
use crate::open_file_limit::raise_open_file_limit;
use crate::process::CommandIsolation;
#[cfg(target_os = "linux")]
use crate::workers::Workers;

/// The memory of a guest, in bytes, above which its release is moved to another thread.
const LARGE_GUEST: u64 = 16 << 20;

/// Runs components: one engine for all runs of a process.
///
/// # Examples
///
/// ```
/// use hype_run::{Cache, CommandIsolation, Executor};
///
/// let executor = Executor::new()
///     .with_cache(Cache::in_directory("/var/cache/hype"))
///     .with_commands(CommandIsolation::Namespaces);
/// ```
pub struct Executor {
    embedding: LazyEmbedding,
    components: LoadedComponents,
    compiler: Compiler,
    cache: Option<Cache>,
    /// One permit per slot of a pooled executor.
    permits: Option<Arc<Semaphore>>,
    resolver: Arc<dyn Resolver>,
    commands: CommandIsolation,
    #[cfg(target_os = "linux")]
    workers: Option<Workers>,
    /// Whether the process exits after the first call.
    is_single_call: bool,
}

impl Executor {
    /// Creates an executor for a few calls. Raises this process's limit of open files to the maximum
    /// that the system allows, since each guest may open hundreds of files.
    ///
    /// If this machine cannot run WebAssembly, the first run fails.
    pub fn new() -> Self {
        Self::spawning(None, CodeKind::Checked)
    }

    /// Creates an executor for a process that exits after one call. It frees nothing: the system frees
    /// all memory at exit, which is faster.
    ///
    /// On Linux the call runs unchecked code on a thread of its own. If the guest is stopped while it computes, at its
    /// deadline or when it is interrupted, its thread and its memory remain until the process exits.
    pub fn for_one_call() -> Self {
        let can_stop = cfg!(target_os = "linux") && Platform::here().is_some();
        let kind = if can_stop { CodeKind::Unchecked } else { CodeKind::Checked };
        Self { is_single_call: true, ..Self::spawning(None, kind) }
    }

    /// Creates an executor for many calls. At most `calls` calls run concurrently; the others wait for
    /// a free slot. Memory for all slots is reserved once and reused, so that the start is slower and
    /// each call is faster.
    pub fn pooled(calls: usize) -> Self {
        let permits = Some(Arc::new(Semaphore::new(calls)));
        Self { permits, ..Self::spawning(Some(Slots(calls)), CodeKind::Checked) }
    }

    /// Creates an executor for many calls that makes them in worker processes, which run unchecked code and are killed at
    /// the deadline. This process makes the HTTP requests of their guests, and starts their commands in rooms of namespaces.
    /// Calls stay here, in memory as that of [`pooled`](Self::pooled), if this program can't be started again as a worker; those
    /// with commands also if these have no room, or if this process runs as root and the kernel has no Landlock.
    /// At most `calls` calls run concurrently.
    pub fn in_workers(calls: usize) -> Self {
        #[cfg(target_os = "linux")]
        {
            raise_open_file_limit();
            let permits = Some(Arc::new(Semaphore::new(calls)));
            let executor = Self::with_embedding(LazyEmbedding::deferred(Slots(calls)));
            Self { permits, workers: Some(Workers::new(None)), ..executor }
        }
        #[cfg(not(target_os = "linux"))]
        Self::pooled(calls)
    }

    /// Creates the executor of a fork server: for unchecked code, with one slot, and without a thread.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_fork_server() -> Self {
        let permits = Some(Arc::new(Semaphore::new(1)));
        Self { permits, ..Self::with_embedding(LazyEmbedding::without_ticks(Slots(1))) }
    }

    /// Creates an executor with the same engine and no components, for the thread of a guest.
    #[cfg(target_os = "linux")]
    pub(crate) fn of_same_engine(&self) -> Self {
        let Self { embedding, resolver, commands, is_single_call, .. } = self;
        Self {
            resolver: Arc::clone(resolver),
            commands: *commands,
            is_single_call: *is_single_call,
            ..Self::with_embedding(embedding.clone())
        }
    }

    fn spawning(slots: Option<Slots>, kind: CodeKind) -> Self {
        let embedding = LazyEmbedding::spawn(slots, kind);
        raise_open_file_limit();
        Self::with_embedding(embedding)
    }

    fn with_embedding(embedding: LazyEmbedding) -> Self {
        Self {
            embedding,
            components: LoadedComponents::default(),
            compiler: Compiler::in_this_process(),
            cache: None,
            permits: None,
            resolver: Arc::new(SystemResolver),
            commands: CommandIsolation::default(),
            #[cfg(target_os = "linux")]
            workers: None,
            is_single_call: false,
        }
    }

    /// Sets the cache that runs read blobs from, and to which they write the blobs that they fetch.
    /// Without it, each run fetches all its blobs.
    #[must_use]
    pub fn with_cache(self, cache: impl Into<Option<Cache>>) -> Self {
        Self { cache: cache.into(), ..self }
    }

    /// Sets the resolver for the HTTP requests of guests. Without it, the system resolves names.
    #[must_use]
    pub fn with_resolver(self, resolver: impl Resolver) -> Self {
        Self { resolver: Arc::new(resolver), ..self }
    }

    /// Sets the program whose processes are the workers: the absolute path of `hype-run`, or of any program that links this
    /// version of hype. Without it, this program is started again. One that has loaded hype in a library, such as Python,
    /// can't be.
    ///
    /// # Examples
    ///
    /// ```
    /// let executor = hype_run::Executor::in_workers(8).with_worker_program("/usr/local/bin/hype-run");
    /// ```
    #[must_use]
    pub fn with_worker_program(self, path: impl Into<std::path::PathBuf>) -> Self {
        #[cfg(target_os = "linux")]
        {
            Self { workers: self.workers.map(|_| Workers::new(Some(path.into()))), ..self }
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = path;
            self
        }
    }

    /// Sets the isolation of the commands of guests. Without it, commands run in namespaces.
    #[must_use]
    pub fn with_commands(self, isolation: CommandIsolation) -> Self {
        Self { commands: isolation, ..self }
    }

    /// Sets the compiler of components without machine code. Without it, they are compiled in this process.
    #[must_use]
    pub fn with_compiler(self, compiler: Compiler) -> Self {
        Self { compiler, ..self }
    }

    pub(crate) fn commands(&self) -> CommandIsolation {
        self.commands
    }

    pub(crate) fn resolver(&self) -> Arc<dyn Resolver> {
        Arc::clone(&self.resolver)
    }

    /// Returns whether a command could change files that several calls share. This is so if commands
    /// run without isolation in a process that makes more than one call.
    pub(crate) fn can_commands_change_shared_files(&self) -> bool {
        !self.is_single_call && self.commands != CommandIsolation::Namespaces
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    pub(crate) fn components(&self) -> &LoadedComponents {
        &self.components
    }

    /// Compiles the component in `bytes`, which have the digest that `component` names.
    ///
    /// # Errors
    ///
    /// A failure of the kind `deadline` when it takes longer than `timeout`, waiting for another
    /// compilation included, and of the kind `incompatible` when the bytes are not a component that hype can run.
    pub(crate) async fn compile(
        &self,
        component: &ComponentRef,
        bytes: Bytes,
        timeout: Option<TimeoutLeft>,
    ) -> Result<ReadyComponent, Failure> {
        let failure = |error: CompileError| error.within(timeout).failure(&component.name);
        let turn = self.compiler.turn(timeout.map(|it| it.left)).await.map_err(failure)?;
        if let Some(component) = self.components.get(&component.blob.digest) {
            return Ok(component);
        }
        let code = MachineCode::compile(self.own_kind(), turn, bytes).await.map_err(failure)?;
        // SAFETY: this version's compiler has written the code to a file that no other process could open.
        let loaded = unsafe { self.load(component, &code)? };
        loaded.map_err(|reason| {
            let problem = format!("component {} cannot be loaded here", component.name);
            Failure { causes: vec![reason], ..Failure::new(FailureKind::Incompatible, problem) }
        })
    }

    /// Compiles the component in `bytes` to unchecked machine code for this machine.
    ///
    /// # Errors
    ///
    /// As [`compile`](Self::compile).
    #[cfg(target_os = "linux")]
    pub(crate) async fn compile_unchecked(
        &self,
        component: &ComponentRef,
        bytes: Bytes,
        timeout: Option<TimeoutLeft>,
    ) -> Result<MachineCode, Failure> {
        let failure = |error: CompileError| error.within(timeout).failure(&component.name);
        let turn = self.compiler.turn(timeout.map(|it| it.left)).await.map_err(failure)?;
        MachineCode::compile(CodeKind::Unchecked, turn, bytes).await.map_err(failure)
    }

    /// Loads a component from machine code. Returns `Ok(Err(reason))` when another version compiled
    /// it, or for another machine.
    ///
    /// # Safety
    ///
    /// The process runs `code` as it is. It must be the output of [`precompile`](crate::precompile):
    /// only a trusted digest proves that.
    ///
    /// # Errors
    ///
    /// A failure of the kind `incompatible` when the component imports something that hype doesn't offer.
    pub(crate) unsafe fn load(
        &self,
        component: &ComponentRef,
        code: &MachineCode,
    ) -> Result<std::result::Result<ReadyComponent, String>, Failure> {
        // SAFETY: the caller guarantees that `precompile` made the bytes.
        match unsafe { code.load(&self.embedding.get()?.engine) } {
            Ok(loaded) => self.link(component, &loaded).map(Ok),
            Err(error) => Ok(Err(format!("{error:#}"))),
        }
    }

    /// Waits for a free slot, if the executor is pooled.
    pub(crate) async fn permit(&self) -> CallPermit {
        CallPermit(match &self.permits {
            // The semaphore is never closed.
            Some(permits) => Arc::clone(permits).acquire_owned().await.ok(),
            None => None,
        })
    }

    /// Frees the memory of a call and then its slot. Frees a large guest in another thread, since that
    /// takes long.
    pub(crate) fn release(&self, guest: Store<Guest>, permit: CallPermit) {
        let is_large = guest.data().budget.peak() > LARGE_GUEST;
        let release = move || {
            drop(guest);
            drop(permit);
        };
        if self.is_single_call {
            std::mem::forget(release);
        } else if is_large {
            drop(spawn_io(release));
        } else {
            release();
        }
    }

    /// Makes guests check their deadline regularly until the returned guard is dropped.
    pub(crate) fn start_ticks(&self) -> Result<Ticking<'_>, Failure> {
        Ok(self.embedding.get()?.ticker.start())
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
        let ready = ReadyComponent::new(linked);
        self.components.add(component.blob.digest, ready.clone());
        Ok(ready)
    }
}

/// A slot for a call. Dropping it releases the slot.
#[derive(Debug)]
pub(crate) struct CallPermit(
    #[expect(dead_code, reason = "dropping it releases the slot")] Option<OwnedSemaphorePermit>,
);

impl Default for Executor {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let loaded = self.components.count();
        let compiling = usize::from(self.compiler.is_busy());
        write!(f, "Executor({loaded} components, {compiling} being compiled)")
    }
}

fn unusable(name: &str, problem: &str, error: &wasmtime::Error) -> Failure {
    let mut failure =
        Failure::new(FailureKind::Incompatible, format!("component {name} {problem}"));
    failure.causes = error.chain().map(ToString::to_string).collect();
    failure
}
