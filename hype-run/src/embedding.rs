//! The wasmtime embedding that all guests of a process share: engine, linker and ticker.

use std::sync::{Arc, LazyLock};

use hype_wire::{Failure, FailureKind, Location};
use wasmtime::component::{Linker, WasmStr};
use wasmtime::{Engine, StoreContextMut};

use crate::deadline::{Ticker, Ticks};
use crate::deterministic;
use crate::engine::{CodeKind, Platform, Slots, engine};
use crate::execution::{Guest, Panic};
use crate::filesystem;
use crate::http;
#[cfg(target_os = "linux")]
use crate::large_pages;
use crate::process;
use crate::random;
use crate::truncate;

/// The host's bindings of `wit/`.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "closures",
        exports: { default: async },
    });
}

/// An engine that is ready to load components.
pub(crate) struct Embedding {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    pub(crate) ticker: Ticker,
}

type EmbeddingResult = Result<Embedding, String>;

/// An embedding that another thread creates while this thread fetches the job: both take about the same
/// time. Afterwards that thread is the ticker of the embedding's guests, if their code has checks. Clones share the
/// embedding.
#[derive(Clone)]
pub(crate) struct LazyEmbedding {
    kind: CodeKind,
    created: Arc<LazyLock<EmbeddingResult, Box<dyn FnOnce() -> EmbeddingResult + Send>>>,
}

impl LazyEmbedding {
    /// Starts the thread that creates the embedding.
    pub(crate) fn spawn(slots: Option<Slots>, kind: CodeKind) -> Self {
        let lazy = Self::from_fn(kind, move || Embedding::new(kind, slots).map_err(message));
        let shared = Arc::clone(&lazy.created);
        let thread = std::thread::Builder::new().name("hype-engine".into());
        let started = thread.spawn(move || {
            let embedding = LazyLock::force(&shared).as_ref().ok();
            let ticking = embedding.filter(|_| kind == CodeKind::Checked);
            let ticks = ticking.map(|it| it.ticker.ticks(it.engine.clone()));
            // Only the executor keeps the embedding alive. Dropping that ends the ticks.
            drop(shared);
            ticks.map(Ticks::run)
        });
        match started {
            Ok(_) => lazy,
            Err(error) => {
                Self::from_fn(kind, move || Err(format!("cannot start its thread: {error}")))
            }
        }
    }

    /// Creates the embedding when it is first used, with a thread for its ticks.
    #[cfg(target_os = "linux")]
    pub(crate) fn deferred(slots: Slots) -> Self {
        Self::from_fn(CodeKind::Checked, move || {
            let embedding = Embedding::new(CodeKind::Checked, Some(slots)).map_err(message)?;
            let ticks = embedding.ticker.ticks(embedding.engine.clone());
            let thread = std::thread::Builder::new().name("hype-engine".into());
            thread
                .spawn(|| ticks.run())
                .map_err(|error| format!("cannot start a thread: {error}"))?;
            Ok(embedding)
        })
    }

    /// Creates the embedding of a process that runs unchecked code, without a thread. Nothing ticks there.
    #[cfg(target_os = "linux")]
    pub(crate) fn without_ticks(slots: Slots) -> Self {
        let created = Embedding::new(CodeKind::Unchecked, Some(slots)).map_err(message);
        let lazy = Self::from_fn(CodeKind::Unchecked, move || created);
        LazyLock::force(&lazy.created);
        lazy
    }

    fn from_fn(kind: CodeKind, create: impl FnOnce() -> EmbeddingResult + Send + 'static) -> Self {
        Self { kind, created: Arc::new(LazyLock::new(Box::new(create))) }
    }

    /// Returns the kind of machine code that its engine runs.
    pub(crate) fn kind(&self) -> CodeKind {
        self.kind
    }

    /// Waits for the embedding and returns it.
    ///
    /// # Errors
    ///
    /// A failure of the kind `infrastructure` when this machine cannot run WebAssembly, or has no thread
    /// left.
    pub(crate) fn get(&self) -> Result<&Embedding, Failure> {
        LazyLock::force(&self.created).as_ref().map_err(|error| {
            let what = "this machine cannot run closures";
            Failure {
                causes: vec![error.clone()],
                ..Failure::new(FailureKind::Infrastructure, what)
            }
        })
    }
}

impl Embedding {
    fn new(kind: CodeKind, slots: Option<Slots>) -> wasmtime::Result<Self> {
        let engine = engine(Platform::here(), kind, slots)?;
        #[cfg(target_os = "linux")]
        if let Some(Err(error)) = slots.map(|slots| large_pages::prefer(&engine, slots.memories()))
        {
            tracing::debug!("guests have no large pages: {error:#}");
        }
        let mut linker = Linker::new(&engine);
        link(&mut linker)?;
        Ok(Self { engine, linker, ticker: Ticker::default() })
    }
}

fn message(error: wasmtime::Error) -> String {
    format!("{error:#}")
}

fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    filesystem::link(linker)?;
    random::link(linker)?;
    deterministic::link(linker)?;
    http::link(linker)?;
    process::link(linker)?;
    linker.instance("spotify:hype/report@0.1.0")?.func_wrap("panicked", panicked)
}

/// Records a panic that the guest reports. Copies only the beginning of its text out of the guest.
fn panicked(
    mut store: StoreContextMut<'_, Guest>,
    (message, file, line): (WasmStr, WasmStr, u32),
) -> wasmtime::Result<()> {
    let message = truncate::message(&message.to_str(&store)?);
    let file = truncate::name(&file.to_str(&store)?);
    store.data_mut().panic = Some(Panic { message, location: Location { file, line } });
    Ok(())
}
