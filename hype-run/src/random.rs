//! The calls that return random bytes, which are charged to the guest's budget until they are in its memory.
//!
//! Bytes are generated in pieces, between which other tasks of the thread run.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;
use wasmtime_wasi::p2::bindings::random::insecure::Host as _;
use wasmtime_wasi::p2::bindings::random::random::Host as _;
use wasmtime_wasi::random::{WasiRandomCtx, WasiRandomView};

use crate::execution::Guest;

/// The maximum size of one request, in bytes. wasmtime rejects larger ones.
const MAX_REQUEST: u64 = 64 << 20;

/// The size of a piece, in bytes: some hundred microseconds of work.
const PIECE: u64 = 64 << 10;

/// Generates random bytes, at most [`MAX_REQUEST`].
type Generate = fn(&mut WasiRandomCtx, u64) -> wasmtime::Result<Vec<u8>>;

/// Replaces wasmtime's calls for random bytes in `linker`.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let calls: [(_, _, Generate); 2] = [
        ("wasi:random/random@0.2.12", "get-random-bytes", |random, size| {
            random.get_random_bytes(size)
        }),
        ("wasi:random/insecure@0.2.12", "get-insecure-random-bytes", |random, size| {
            random.get_insecure_random_bytes(size)
        }),
    ];
    for (interface, function, generate) in calls {
        linker.instance(interface)?.func_wrap_async(
            function,
            move |mut store: StoreContextMut<'_, Guest>, (size,): (u64,)| {
                Box::new(async move { Ok((store.data_mut().random_bytes(size, generate).await?,)) })
            },
        )?;
    }
    Ok(())
}

impl Guest {
    async fn random_bytes(&mut self, size: u64, generate: Generate) -> wasmtime::Result<Vec<u8>> {
        let _charge = self.budget.charge(size.min(MAX_REQUEST))?;
        if size <= PIECE || size > MAX_REQUEST {
            return generate(self.random(), size);
        }
        let mut bytes = Vec::with_capacity(size as usize);
        while (bytes.len() as u64) < size {
            let piece = PIECE.min(size - bytes.len() as u64);
            bytes.extend(generate(self.random(), piece)?);
            tokio::task::yield_now().await;
        }
        Ok(bytes)
    }
}
