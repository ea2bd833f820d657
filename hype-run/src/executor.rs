//! The WebAssembly engine, and the components that are ready to run on it.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hype_wire::{ComponentRef, Digest, Failure, FailureKind};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::deadline::{Ticker, Ticking};
use crate::engine::{Platform, engine};
use crate::execution::Guest;
use crate::mapped;

/// The host's side of `wit/`.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "closures",
        exports: { default: async },
    });
}

pub(crate) use bindings::ClosuresPre;

/// How many components are kept ready, the last used ones.
const KEPT: usize = 16;

/// Runs components: one engine, shared by all runs of a process.
pub struct Executor {
    engine: Engine,
    linker: Linker<Guest>,
    ticker: Ticker,
    ready: Mutex<Vec<(Digest, ClosuresPre<Guest>)>>,
}

impl Executor {
    /// An executor without components.
    ///
    /// # Errors
    ///
    /// When the machine cannot run WebAssembly, or has no thread left.
    pub fn new() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let engine = engine(Platform::here()).map_err(wasmtime::Error::into_boxed_dyn_error)?;
        let mut linker = Linker::new(&engine);
        link(&mut linker).map_err(wasmtime::Error::into_boxed_dyn_error)?;
        Ok(Self { ticker: Ticker::start(engine.clone())?, linker, engine, ready: Mutex::default() })
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

    /// The component in `bytes`, whose digest this is.
    pub(crate) async fn compile(
        &self,
        component: &ComponentRef,
        bytes: Bytes,
    ) -> Result<ClosuresPre<Guest>, Failure> {
        let engine = self.engine.clone();
        let compiled = tokio::task::spawn_blocking(move || Component::from_binary(&engine, &bytes))
            .await
            .map_err(|error| Failure::from_error(FailureKind::Infrastructure, &error))?;
        let compiled = compiled.map_err(|error| {
            unusable(&component.name, "is not a component that can be compiled", &error)
        })?;
        self.link(component, &compiled)
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
        write!(f, "Executor({} components)", self.lock().len())
    }
}

fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    bindings::Closures::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

fn unusable(name: &str, problem: &str, error: &wasmtime::Error) -> Failure {
    let mut failure =
        Failure::new(FailureKind::Incompatible, format!("component {name} {problem}"));
    failure.causes = error.chain().map(ToString::to_string).collect();
    failure
}
