//! The WebAssembly engine, and the components that it has compiled.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hype_wire::{Code, Digest, Failure, FailureKind};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine};

use crate::deadline::{Ticker, Ticking};
use crate::execution::Guest;

/// The host's side of `wit/`.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "closures",
        exports: { default: async },
    });
}

pub(crate) use bindings::ClosuresPre;

/// How many compiled components are kept, the last used ones.
const KEPT: usize = 16;

/// Runs components: one engine, shared by all runs of a process.
pub struct Executor {
    engine: Engine,
    linker: Linker<Guest>,
    ticker: Ticker,
    compiled: Mutex<Vec<(Digest, ClosuresPre<Guest>)>>,
}

impl Executor {
    /// An executor without components.
    ///
    /// # Errors
    ///
    /// When the machine cannot run WebAssembly, or has no thread left.
    pub fn new() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let engine = Engine::new(&config()).map_err(wasmtime::Error::into_boxed_dyn_error)?;
        let mut linker = Linker::new(&engine);
        link(&mut linker).map_err(wasmtime::Error::into_boxed_dyn_error)?;
        Ok(Self {
            ticker: Ticker::start(engine.clone())?,
            linker,
            engine,
            compiled: Mutex::default(),
        })
    }

    /// Whether it has the component with this digest compiled.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.lock().iter().any(|(compiled, _)| compiled == digest)
    }

    /// The component with this digest, compiled of `bytes` unless it was before.
    pub(crate) async fn component(
        &self,
        name: &str,
        digest: Digest,
        bytes: Option<Bytes>,
    ) -> Result<(ClosuresPre<Guest>, Code), Failure> {
        if let Some(component) = self.reuse(&digest) {
            return Ok((component, Code::Reused));
        }
        let bytes = bytes.ok_or_else(|| {
            let message = format!("component {name} was forgotten while it was fetched");
            Failure::new(FailureKind::Infrastructure, message)
        })?;
        let engine = self.engine.clone();
        let compile = move || Component::from_binary(&engine, &bytes);
        let component = tokio::task::spawn_blocking(compile)
            .await
            .map_err(|error| Failure::from_error(FailureKind::Infrastructure, &error))?
            .map_err(|error| unusable(name, "is not a component that can be compiled", &error))?;
        let linked = self
            .linker
            .instantiate_pre(&component)
            .map_err(|error| unusable(name, "imports what hype doesn't offer", &error))?;
        let closures = ClosuresPre::new(linked)
            .map_err(|error| unusable(name, "doesn't export spotify:hype/closure@0.1.0", &error))?;
        self.keep(digest, closures.clone());
        Ok((closures, Code::Compiled))
    }

    /// Makes guests look at the clock until what this gives is dropped.
    pub(crate) fn tick(&self) -> Ticking<'_> {
        self.ticker.tick()
    }

    fn reuse(&self, digest: &Digest) -> Option<ClosuresPre<Guest>> {
        let mut compiled = self.lock();
        let index = compiled.iter().position(|(kept, _)| kept == digest)?;
        let last_used = compiled.remove(index);
        let component = last_used.1.clone();
        compiled.push(last_used);
        Some(component)
    }

    fn keep(&self, digest: Digest, component: ClosuresPre<Guest>) {
        let mut compiled = self.lock();
        compiled.retain(|(kept, _)| *kept != digest);
        if compiled.len() == KEPT {
            compiled.remove(0);
        }
        compiled.push((digest, component));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Digest, ClosuresPre<Guest>)>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Executor({} components)", self.lock().len())
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Enable);
    config
}

fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    bindings::Closures::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

fn unusable(name: &str, problem: &str, error: &wasmtime::Error) -> Failure {
    let mut failure = Failure::new(FailureKind::Incompatible, format!("component {name} {problem}"));
    failure.causes = error.chain().map(ToString::to_string).collect();
    failure
}
