//! The calls by which a guest sends requests and gets answers. What it wasn't granted ends it there, since a
//! client of its would tell of that as of any host that doesn't answer.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host;
use wasmtime_wasi_http::p2::bindings::http::types::HostFutureIncomingResponse;
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse as Answer, HostOutgoingRequest as Outgoing,
};
use wasmtime_wasi_http::{RequestOptions, WasiHttpView};

use crate::execution::Guest;

/// Links all of `wasi:http`.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    type Asking = (Resource<Outgoing>, Option<Resource<RequestOptions>>);
    let mut handler = linker.instance("wasi:http/outgoing-handler@0.2.12")?;
    handler.func_wrap(
        "handle",
        |mut store: StoreContextMut<'_, Guest>, (request, options): Asking| {
            let guest = store.data_mut();
            let answer = guest.http().handle(request, options);
            guest.unless_denied()?;
            match answer {
                Ok(answer) => Ok((Ok(answer),)),
                Err(error) => error.downcast().map(|code| (Err(code),)),
            }
        },
    )?;
    let mut types = linker.instance("wasi:http/types@0.2.12")?;
    types.func_wrap(
        "[method]future-incoming-response.get",
        |mut store: StoreContextMut<'_, Guest>, (answer,): (Resource<Answer>,)| {
            let guest = store.data_mut();
            let answer = HostFutureIncomingResponse::get(&mut guest.http(), answer)?;
            guest.unless_denied()?;
            Ok((answer,))
        },
    )
}

impl Guest {
    fn unless_denied(&self) -> wasmtime::Result<()> {
        match self.sandbox.requests.denied() {
            Some(denied) => Err(denied.into()),
            None => Ok(()),
        }
    }
}
