//! What all guests of a process share: the engine, what it links them to, and its clock.

use std::sync::{Arc, LazyLock};

use hype_wire::{Failure, FailureKind, Location};
use wasmtime::component::{Linker, WasmStr};
use wasmtime::{Engine, StoreContextMut};

use crate::brevity;
use crate::deadline::{Ticker, Ticks};
use crate::deterministic;
use crate::engine::{Platform, Slots, engine};
use crate::execution::{Guest, Panic};
use crate::filesystem;
use crate::http;
#[cfg(target_os = "linux")]
use crate::large_pages;
use crate::process;

/// The host's side of `wit/`.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "closures",
        exports: { default: async },
    });
}

/// wasmtime, ready to load components.
pub(crate) struct Embedding {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    pub(crate) ticker: Ticker,
}

type Made = Result<Embedding, String>;

/// An embedding that another thread makes, while this one fetches what it is to run: each takes about
/// as long as the other. Then that thread is the clock of its guests.
pub(crate) struct ComingEmbedding(Arc<LazyLock<Made, Box<dyn FnOnce() -> Made + Send>>>);

impl ComingEmbedding {
    /// Begins to make it.
    pub(crate) fn begin(slots: Option<Slots>) -> Self {
        let coming = Self::by(move || Embedding::new(slots).map_err(|error| format!("{error:#}")));
        let theirs = Arc::clone(&coming.0);
        let thread = std::thread::Builder::new().name("hype-engine".into());
        let started = thread.spawn(move || {
            let made = LazyLock::force(&theirs).as_ref().ok();
            let ticks = made.map(|it| it.ticker.ticks(it.engine.clone()));
            // The embedding goes with its executor, which ends the ticks.
            drop(theirs);
            ticks.map(Ticks::run)
        });
        match started {
            Ok(_) => coming,
            Err(error) => Self::by(move || Err(format!("there is no thread for it: {error}"))),
        }
    }

    fn by(make: impl FnOnce() -> Made + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(make))))
    }

    /// It, as soon as it is there.
    ///
    /// # Errors
    ///
    /// When the machine cannot run WebAssembly, or has no thread left.
    pub(crate) fn get(&self) -> Result<&Embedding, Failure> {
        LazyLock::force(&self.0).as_ref().map_err(|error| {
            let what = "this machine cannot run closures";
            Failure {
                causes: vec![error.clone()],
                ..Failure::new(FailureKind::Infrastructure, what)
            }
        })
    }
}

impl Embedding {
    fn new(slots: Option<Slots>) -> wasmtime::Result<Self> {
        let engine = engine(Platform::here(), slots)?;
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

fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    filesystem::link(linker)?;
    deterministic::link(linker)?;
    http::link(linker)?;
    process::link(linker)?;
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
